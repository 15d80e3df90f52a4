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


def test_each_epoch_is_one_event_with_the_values_that_it_has(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1), epoch(2)])
    head, first, second = events(tmp_path / "tensorboard")
    assert head.file_version == "brain.Event:2"
    assert (first.step, second.step, second.wall_time) == (1, 2, 104.0)
    assert {value.tag: value.simple_value for value in second.summary.value} == {
        "loss/train": 0.25, "loss/test": 0.75, "accuracy/train": 0.5, "accuracy/test": 0.25,
    }  # fmt: skip


def test_an_epoch_with_everything_has_a_value_for_every_tag(tmp_path: Path) -> None:
    more = {"validation_loss": 0.5, "validation_accuracy": 1.0, "learning_rate": 0.25, "samples_per_s": 1024.0}
    more |= {"step_ms": {"count": 3, "p50": 1.5}, "peak_rss_bytes": 4096}
    write_curves(tmp_path / "tensorboard", [epoch(1) | more])
    _, only = events(tmp_path / "tensorboard")
    found = {value.tag: value.simple_value for value in only.summary.value}
    assert set(found) == set(TAGS)
    assert [found[tag] for tag in ("learning_rate", "time/step_ms", "time/samples_per_s")] == [0.25, 1.5, 1024.0]
    assert (found["memory/peak_rss_bytes"], found["loss/validation"]) == (4096.0, 0.5)


def test_the_network_comes_before_its_curve(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1)], b"a graph")
    assert [event.graph_def for event in events(tmp_path / "tensorboard")] == [b"", b"a graph", b""]


def test_what_is_null_has_no_point(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1) | {"step_ms": None, "samples_per_s": None}])
    _, only = events(tmp_path / "tensorboard")
    assert not any(value.tag.startswith("time/") for value in only.summary.value)


def test_a_longer_curve_replaces_the_file_so_that_no_step_is_there_twice(tmp_path: Path) -> None:
    write_curves(tmp_path / "tensorboard", [epoch(1)])
    write_curves(tmp_path / "tensorboard", [epoch(1), epoch(2)])
    assert [event.step for event in events(tmp_path / "tensorboard")] == [0, 1, 2]
