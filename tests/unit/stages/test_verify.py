"""The verb verify: what was recorded of a file stands where it cannot be asked again."""

from typing import Any

import pytest

from isoform import registry
from isoform.core.parity import NOT_CHECKED, PASS, Gate
from isoform.stages import verify

UNASKED = Gate(NOT_CHECKED, ("onnx is not installed",))
SAID = {"gates": {"semantics": {"verdict": "PASS", "findings": ["R_sem 0"]}}}
OTHER = {"gates": {"semantics": {"verdict": "FAIL", "findings": []}}}
ABSENT: dict[str, Any] = {"gates": {}}


@pytest.mark.parametrize(("parity", "verdict"), [
    ({"ort-cpu": SAID, "ort-cuda": ABSENT}, PASS),  # no GPU where it was written
    ({"ort-cpu": SAID}, PASS),
    ({"ort-cpu": OTHER, "ort-cuda": SAID}, PASS),
    ({"ort-cpu": OTHER}, "FAIL"),
    ({"ort-cpu": ABSENT, "ort-cuda": ABSENT}, NOT_CHECKED), ({}, NOT_CHECKED),
])  # fmt: skip
def test_gate_2_of_a_file_is_that_of_the_runtime_or_of_another_of_its_file(
    parity: dict[str, Any], verdict: str
) -> None:
    row = registry.runtime("ort-cuda")
    found = verify._recorded(UNASKED, {"parity": parity}, row, [])
    assert found.verdict == verdict
    assert ("as recorded when it was written" in found.findings) == (verdict != NOT_CHECKED)


def test_a_record_says_nothing_of_an_altered_file_and_nothing_against_what_was_asked() -> None:
    row = registry.runtime("ort-cuda")
    assert verify._recorded(UNASKED, {"parity": {"ort-cpu": SAID}}, row, ["model.onnx"]) == UNASKED
    asked = Gate("FAIL", ("R_sem 9",))
    assert verify._recorded(asked, {"parity": {"ort-cpu": SAID}}, row, []) == asked
