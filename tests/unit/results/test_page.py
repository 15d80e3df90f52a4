"""docs/results.md says what its rows say: a file that is too large, one that failed, one that was not measured."""

from typing import Any

from results import page

ABOUT = {"machine": "a machine", "date": "2026-01-01", "load": [0.5, 1.5]}
PROVED = {"name": "net/torch/onnx", "verdict": "PASS", "lost_bits": 0.04, "size_bytes": 2_000_000}
TIMING = {
    "threads": 1, "processes": 6, "p50_ns": 2e6, "interval_ns": [1.9e6, 2.2e6], "of_roof": 0.5, "load": [1.0, 3.0],
}  # fmt: skip
REDUCED = {
    "name": "net/torch/onnx-int8", "against": "onnx", "precision": "int8", "verdict": "PASS", "decisions": "512/512",
    "size_bytes": 620_000, "share": 0.31, "kept": ["Gemm_3"],
}  # fmt: skip


def rows(section: str, *found: dict[str, Any]) -> list[str]:
    text = page.rendered({section: {**ABOUT, "rows": list(found)}})
    return [line for line in text.splitlines() if line.startswith(("| net", "- `net", "a machine"))]


def test_a_measured_artifact_has_its_interval_its_roof_and_the_load_under_which_it_was() -> None:
    one = {**PROVED, "load_ns": 3e6, "first_ns": 4e6, "peak_rss_bytes": 100e6}
    two = {**TIMING, "threads": 2, "interval_ns": None, "of_roof": None, "load": [0.25, 1.0]}
    assert rows("reference", {**one, "timings": [TIMING, two]}) == [
        "a machine; 2026-01-01; load 0.2 to 3.0 while measured.",
        "| net/torch/onnx | PASS | 0.0 | 2 | 3 | 4 | 100 | 2 (1.9 to 2.2) | 50 % | 2 (of 6) |",
    ]


def test_what_was_not_measured_says_so() -> None:
    (_, found) = rows("reference", {**PROVED, "timings": []})
    assert found == "| net/torch/onnx | PASS | 0.0 | 2 | not measured | not measured | not measured |  |  |  |"


def test_a_file_beyond_its_share_a_layer_that_was_kept_and_a_failure_show() -> None:
    timed = {**REDUCED, "word": "faster", "ratio": 0.5, "interval": [0.45, 0.55], "p50_ns": 1e6}
    failed = {"name": "net/torch/tflite-int8", "against": "tflite", "error": "no kernel"}
    _, *found = rows("edge", timed, failed, {**REDUCED, "share": 0.3, "kept": [], "error": "it crashed"})
    assert found == [
        "| net/torch/onnx-int8 | PASS | 512/512 | 0.62 | 0.310 **beyond** | 1 | onnx | 0.50 (0.45 to 0.55) | faster |",
        "| net/torch/tflite-int8 | ERROR | no kernel |  |  |  | tflite |  |  |",
        "| net/torch/onnx-int8 | PASS | 512/512 | 0.62 | 0.300 |  | onnx | it crashed |  |",
        "- `net/torch/onnx-int8`: Gemm_3",
    ]
