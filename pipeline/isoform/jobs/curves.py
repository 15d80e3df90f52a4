"""Training curves as a TensorBoard event file, the same tags for every framework.

Written with tensorboard's own record writer and messages, which load neither framework.
"""

import shutil
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

TAGS = {
    "loss/train": ("loss",),
    "loss/validation": ("validation_loss",),
    "loss/test": ("test_loss",),
    "accuracy/train": ("accuracy",),
    "accuracy/validation": ("validation_accuracy",),
    "accuracy/test": ("test_accuracy",),
    "learning_rate": ("learning_rate",),
    "time/step_ms": ("step_ms", "p50"),
    "time/samples_per_s": ("samples_per_s",),
    "memory/peak_rss_bytes": ("peak_rss_bytes",),
}
"""By tag, where its value stands in the record of an epoch; what is not there or null has no point in the curve."""


def write_curves(folder: Path, history: list[dict[str, Any]], graph: bytes | None = None) -> None:
    """Write the network, a GraphDef, if there is one, and the whole curve so far.

    A file of an interrupted run is replaced, so that no step appears twice.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begin = history[0]["finished_at"] - history[0]["seconds"]
    with (folder / f"events.out.tfevents.{begin:.0f}.isoform").open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=begin, file_version="brain.Event:2").SerializeToString())
        if graph is not None:
            writer.write(Event(wall_time=begin, graph_def=graph).SerializeToString())
        for epoch in history:
            found = ((tag, _value(epoch, path)) for tag, path in TAGS.items())
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in found if value is not None]
            event = Event(wall_time=epoch["finished_at"], step=epoch["epoch"], summary=Summary(value=values))
            writer.write(event.SerializeToString())


def _value(epoch: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = epoch
    for key in path:
        value = value.get(key) if value is not None else None
    return value
