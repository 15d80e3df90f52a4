"""Failures of one cause are one row, whatever they say of names, paths and numbers."""

import pytest

from isoform.core.failures import Failure, causes, signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'conv1' has 3 inputs.", "'a.b/c' has 12 inputs."),
        ("/tmp/x/a.onnx: not a model.", "./b/model.onnx: not a model."),
        ("models/a.onnx: not a model.", "b.tflite: not a model."),
        ("needs 1.5 GiB of 2,048", "needs 22.1 GiB of 4"), ("peak 3e-05", "peak -1.25e+10"),
        ("opset\n 12 is  old", "opset 9 is old"),
    ],
)  # fmt: skip
def test_what_differs_from_job_to_job_is_left_out(one: str, other: str) -> None:
    assert signature("k", one) == signature("k", other)


@pytest.mark.parametrize(
    ("one", "other"), [("Gather has no form.", "Scatter has no form."), ("float32 only", "int8 only")]
)
def test_words_of_the_cause_stay(one: str, other: str) -> None:
    assert signature("k", one) != signature("k", other)
    assert signature("k", one) != signature("other", one)


def test_causes_come_by_how_often_they_are_seen() -> None:
    found = causes(
        [Failure("a", "k", "No 'x'.", "do it"), Failure("b", "k", "Odd.", ""), Failure("c", "k", "No 'y'.", "do that")]
    )
    assert [(cause.signature, [each.subject for each in cause.failures]) for cause in found] == [
        ("k: No '...'.", ["a", "c"]), ("k: Odd.", ["b"]),
    ]  # fmt: skip
    assert found[0].to_json() == {
        "signature": "k: No '...'.", "kind": "k", "example": "No 'x'.", "hint": "do it", "count": 2,
        "subjects": ["a", "c"],
    }  # fmt: skip
