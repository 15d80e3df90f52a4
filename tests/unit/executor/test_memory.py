"""What a conversion declares: twice what the largest child of one like it took, else an estimate from the size."""

import json
from pathlib import Path

import pytest

from isoform.executor import memory
from isoform.executor.memory import BASE_BYTES, COPIES, Seen

MB = 1_000_000


@pytest.mark.parametrize(
    ("size", "targets", "declared"),
    [
        (50 * MB, ["tflite"], 2 * 700 * MB),
        (50 * MB, ["tflite", "ort"], 2 * 900 * MB),
        (100 * MB, ["tflite"], 2 * 600 * MB),
        (101 * MB, ["tflite"], BASE_BYTES + COPIES * 101 * MB),
        (19 * MB, ["tflite"], BASE_BYTES + COPIES * 19 * MB),
        (50 * MB, ["tflite", "onnx"], BASE_BYTES + COPIES * 50 * MB),
        (1, ["savedmodel"], 2 * 800 * MB),
    ],
)
def test_of_one_format_and_a_similar_size(size: int, targets: list[str], declared: int) -> None:
    known = [
        Seen("torch", "tflite", 50 * MB, 600 * MB), Seen("torch", "tflite", 40 * MB, 700 * MB),
        Seen("torch", "ort", 60 * MB, 900 * MB), Seen("keras", "tflite", 50 * MB, 9000 * MB),
        Seen("torch", "savedmodel", 9 * MB, 800 * MB),
    ]  # fmt: skip
    assert memory.needed("torch", size, targets, known) == declared


def test_records_that_cannot_be_read_or_have_lost_their_source_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "source.onnx").write_bytes(bytes(7))
    for name, source, steps in (
        ("one", "source.onnx", [5, 9]), ("two", "gone.onnx", [5]), ("three", "source.onnx", []), ("four", None, []),
    ):  # fmt: skip
        folder = tmp_path / "out" / name / "tflite"
        folder.mkdir(parents=True)
        record = {
            "source": {"format": "onnx", "path": str(tmp_path / str(source))},
            "route": [{"peak_rss_bytes": peak} for peak in steps],
        }
        (folder / "artifact.json").write_text(json.dumps(record) if source else "{")
    assert memory.seen(tmp_path / "out") == [Seen("onnx", "tflite", 7, 9)]
