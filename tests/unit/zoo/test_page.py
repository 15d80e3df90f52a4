"""The page says how many pairs pass, what does not and why."""

from pathlib import Path
from typing import Any

import pytest

from zoo import page
from zoo.entry import Entry
from zoo.results import Results

ENTRIES = {name: Entry(name, "text", "torch", "zoo.x:build", {}, ()) for name in ("bert", "gpt")}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path / "zoo.json")
    found.describe(machine="a machine", date="2030-01-02")
    found.add(row("bert", "onnx"))
    found.add(row("bert", "tflite", operators=7, transposes=2))
    found.add(row("gpt", "onnx", status="failed", verdict="FAIL", error="ort-cpu: 5.1 bits lost"))
    found.add(row("gpt", "tflite", status="failed", verdict="NOT VERIFIED", kind="unsupported", error="no | form"))
    return found


def row(model: str, target: str, **found: Any) -> dict[str, Any]:
    passed = {"status": "passed", "verdict": "PASS", "seconds": 2.0, "peak_bytes": 2**29}
    return {"model": model, "target": target, "family": "text", "framework": "torch"} | passed | found


def test_totals_count_pairs_by_target(results: Results) -> None:
    text = page.rendered(results, ENTRIES)
    assert "| onnx | 2 | 1 | 50.0 | 0 | 1 |" in text
    assert "| tflite | 2 | 1 | 50.0 | 1 | 0 |" in text
    assert "| all | 4 | 2 | 50.0 | 1 | 1 |" in text
    assert "a machine; 2030-01-02." in text


def test_an_architecture_is_a_row_with_all_its_targets(results: Results) -> None:
    text = page.rendered(results, ENTRIES)
    assert "| bert | torch | PASS | PASS | not run | not run | 4 | 0.5 | 7 | 2 |" in text
    assert "| gpt | torch | no (unsupported) | differs | not run | not run | 4 | 0.5 |  |  |" in text


def test_failures_stand_by_cause_with_an_example(results: Results) -> None:
    text = page.rendered(results, ENTRIES)
    assert "- **no / form** 1: gpt (tflite). For example: no / form" in text
    assert "- **ort-cpu: numbers differ** 1: gpt (onnx). For example: ort-cpu: 5.1 bits lost" in text


def test_an_architecture_that_left_the_zoo_leaves_the_page(results: Results) -> None:
    assert "gpt" not in page.rendered(results, {"bert": ENTRIES["bert"]})


def test_speed_gives_the_geometric_mean_and_the_worst(results: Results) -> None:
    peer = {"seconds": 9.0, "operators": 8, "transposes": 3}
    for model, ratio in (("bert", 0.5), ("gpt", 2.0)):
        results.add_speed(
            {"model": model, "ms": 1.0, "ratio": ratio, "quartiles": [0.4, 2.1], "operators": 7, "transposes": 2,
             "seconds": 0.5, "peer": peer}
        )  # fmt: skip
    text = page.rendered(results, ENTRIES)
    assert "| bert | 1.00 | 0.500 | 0.400 to 2.100 | 0.5 | 9.0 | 7 | 8 | 2 | 3 |" in text
    assert "Geometric mean of 2: 1.000; the worst is 2.00." in text


def test_a_peer_that_fails_is_told_beside_our_time(results: Results) -> None:
    results.add_speed({"model": "bert", "ms": 1.0, "operators": 7, "transposes": 2, "peer": {"error": "TypeError: no"}})
    assert "| bert | 1.00 | TypeError: no |  |  |  | 7 |  | 2 |  |" in page.rendered(results, ENTRIES)
