"""Failures that say the same but for names, numbers and places are one cause."""

from typing import Any

import pytest

from zoo.causes import cause, grouped


def failed(error: str, verdict: str = "NOT VERIFIED") -> dict[str, Any]:
    return {"model": "net", "target": "tflite", "status": "failed", "verdict": verdict, "error": error}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "'GatherND' (node node_GatherND_61, opset 20): places on dynamic axes, which has no TFLite form here.",
            "'GatherND' (node /m/encoder/Gather, opset 18): places on dynamic axes, which has no TFLite form here.",
        ),
        (
            "'Det' (node det, opset 20) at model.py:12 `y = torch.det(x)`: no TFLite form here.",
            "'Det' (node node_Det_4, opset 20): no TFLite form here.",
        ),
        ("litert: 7.8 bits lost; numerics: 'a': R_rms 9", "litert: 1.2 bits lost; numerics: 'output': R_rms 19"),
        ("it took 31 s at a/b/model.onnx", "it took 7 s at c/d.onnx"),
    ],
)
def test_alike_but_for_names_and_numbers_is_one_cause(first: str, second: str) -> None:
    verdict = "FAIL" if first.startswith("litert") else "NOT VERIFIED"
    assert cause(failed(first, verdict)) == cause(failed(second, verdict))


def test_a_difference_is_called_by_the_gate_that_found_it() -> None:
    assert cause(failed("litert: 1.3 bits lost; weights: 'x' is not in the export", "FAIL")) == "litert: weights differ"
    assert cause(failed("tf: 9 bits lost", "WARN")) == "tf: numbers differ"


def test_another_operator_is_another_cause() -> None:
    texts = [f"'{name}' (node n, opset 20): dynamic sizes, which has no TFLite form here." for name in ("Abs", "Cos")]
    assert cause(failed(texts[0])) != cause(failed(texts[1]))


def test_what_passed_is_in_no_group_and_the_most_frequent_cause_comes_first() -> None:
    rows = [failed("rare"), failed("often 1"), failed("often 2"), {"status": "passed", "verdict": "PASS"}]
    assert [(name, len(found)) for name, found in grouped(rows)] == [("often N", 2), ("rare", 1)]
