"""Event files, read back record by record as the format is documented: length, checksum, message, checksum."""

import struct
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]

from isoform.jobs.curves import TAGS, write_curves


def epoch(number: int) -> dict[str, Any]:
    return {
        "epoch": number, "loss": 0.5 / number, "accuracy": 0.5, "test_loss": 0.75, "test_accuracy": 0.25,
        "seconds": 2.0, "finished_at": 100.0 + 2 * number,
    }  # fmt: skip


def events(folder: Path) -> list[Any]:
    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def test_each_epoch_is_one_event_with_four_values(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1), epoch(2)])
    head, first, second = events(tmp_path / "tensorboard")
    assert head.file_version == "brain.Event:2"
    assert (first.step, second.step, second.wall_time) == (1, 2, 104.0)
    assert {value.tag: value.simple_value for value in second.summary.value} == {
        "loss/train": 0.25, "loss/test": 0.75, "accuracy/train": 0.5, "accuracy/test": 0.25,
    }  # fmt: skip
    assert set(TAGS) == {value.tag for value in first.summary.value}


def test_a_longer_curve_replaces_the_file_so_that_no_step_is_there_twice(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1)])
    write_curves(tmp_path / "tensorboard", [epoch(1), epoch(2)])
    assert [event.step for event in events(tmp_path / "tensorboard")] == [0, 1, 2]
