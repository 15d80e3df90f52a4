"""Dynamic axes: kept, frozen or wrong, with the operator that a runtime names."""

import numpy as np
import pytest

from isoform.core.axes import FROZEN, KEPT, WRONG, Axis, axes
from isoform.core.signature import Signature, TensorSpec

DECLARED = Signature((TensorSpec("x", "float32", ("batch", "length")),), (TensorSpec("y", "float32", ("batch", 3)),))
SIZES = ((1, 7), (2, 7), (3, 13), (5, 1))
INPUTS = [{"x": np.zeros(size, np.float32)} for size in SIZES]
REFERENCE = [{"y": np.zeros((batch, 3))} for batch, _ in SIZES]
ORT = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Reshape node. Name:'/head/Reshape' "
    "Input shape:{1,21}, requested shape:{2,21}"
)


def found(outputs: dict[int, int], failures: dict[int, str] | None = None, read: Signature = DECLARED) -> list[Axis]:
    """Return what became of the axes where the export answers with so many rows, by case."""
    answers = {case: {"y": np.zeros((rows, 3))} for case, rows in outputs.items()}
    return list(axes(DECLARED, read, INPUTS, REFERENCE, answers, failures or {}))


def test_what_runs_at_every_size_and_answers_with_it_is_kept() -> None:
    assert found({0: 1, 1: 2, 2: 3, 3: 5}) == [
        Axis("x", 0, "batch", KEPT, (1, 2, 3, 5)), Axis("x", 1, "length", KEPT, (1, 7, 13)),
        Axis("y", 0, "batch", KEPT, (1, 2, 3, 5)),
    ]  # fmt: skip


def test_a_size_that_alone_runs_is_frozen_by_the_operator_that_the_runtime_names() -> None:
    batch, _, output = found({1: 2}, dict.fromkeys((0, 2, 3), ORT))
    assert (batch.verdict, batch.failed) == (FROZEN, (1, 3, 5))
    assert batch.by == "Reshape '/head/Reshape': Input shape:{1,21}, requested shape:{2,21}"
    assert batch.told.startswith("axis 0 of 'x' ('batch'): frozen; tried 1, 2, 3, 5, not at 1, 3, 5; Reshape")
    assert (output.verdict, output.failed) == (FROZEN, (1, 3, 5)), "what did not run has not come out either"


def test_a_size_that_the_file_states_is_frozen_there() -> None:
    read = Signature((TensorSpec("x", "float32", (2, "length")),), DECLARED.outputs)
    batch, length, _ = found({0: 1, 1: 2, 2: 3, 3: 5}, read=read)
    assert (batch.verdict, batch.failed, batch.by) == (FROZEN, (1, 3, 5), "the file says 2")
    assert length.verdict == KEPT


@pytest.mark.parametrize(
    ("rows", "verdict", "by"),
    [({0: 2, 1: 2, 2: 2, 3: 2}, FROZEN, "it is 2"), ({0: 1, 1: 4, 2: 9, 3: 25}, WRONG, "it is 1, 4, 9, 25")],
)
def test_an_output_of_one_size_is_frozen_and_of_other_sizes_wrong(rows: dict[int, int], verdict: str, by: str) -> None:
    *_, output = found(rows)
    assert (output.verdict, output.by) == (verdict, by)
    assert output.failed == tuple(SIZES[case][0] for case, size in rows.items() if size != SIZES[case][0])


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        ("Node number 12 (RESHAPE) failed to prepare.", "RESHAPE '12': "),
        ("shape '[2, 21]' is invalid at input = torch.view(x, [2, 21])", "view 'x, [2, 21]': "),
        ("{{node model/Reshape}} Input to reshape is a tensor with 63 values", "'model/Reshape': "),
        ("something else", "something else"),
    ],
)
def test_each_runtime_names_an_operator_in_its_own_words(reason: str, named: str) -> None:
    batch, *_ = found({1: 2}, dict.fromkeys((0, 2, 3), reason))
    assert batch.by.startswith(named)


def test_what_json_keeps_comes_back() -> None:
    axis = Axis("x", 0, "batch", FROZEN, (1, 2), (1,), "Reshape 'a'")
    assert Axis.from_json(axis.to_json()) == axis
