"""The rows on disk: nothing is lost when a run is broken off, or when two share the file."""

import json
from pathlib import Path

import pytest

from zoo.results import Results, key

ROW = {"model": "net", "target": "onnx", "status": "passed", "verdict": "PASS"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docs" / "zoo.json"


def test_a_row_is_on_disk_as_soon_as_it_is_added(path: Path) -> None:
    Results(path).add(ROW)
    assert json.loads(path.read_text())["conversions"] == [ROW]
    assert key(ROW) in Results(path)


def test_a_newer_row_takes_the_place_of_the_older_one(path: Path) -> None:
    results = Results(path)
    results.add(ROW)
    results.add(ROW | {"status": "failed"})
    assert [row["status"] for row in Results(path).conversions.values()] == ["failed"]


def test_two_runs_on_one_file_keep_the_rows_of_both(path: Path) -> None:
    first, second = Results(path), Results(path)
    first.add(ROW)
    second.add(ROW | {"target": "tflite"})
    second.add_speed({"model": "net", "ms": 1.0})
    first.describe(machine="here")
    found = Results(path)
    assert sorted(found.conversions) == ["net > onnx", "net > tflite"]
    assert found.speed["net"]["ms"] == 1.0
    assert found.about == {"machine": "here"}


def test_a_row_is_a_line_so_that_a_change_of_one_shows_as_one(path: Path) -> None:
    results = Results(path)
    for target in ("onnx", "tflite"):
        results.add(ROW | {"target": target})
    assert sum('"model"' in line for line in path.read_text().splitlines()) == 2


def test_a_write_that_is_broken_off_leaves_the_file_as_it_was(path: Path) -> None:
    results = Results(path)
    results.add(ROW)
    before = path.read_text()
    with pytest.raises(TypeError):
        results.add(ROW | {"seconds": object()})
    assert path.read_text() == before
