"""What the answer says of an operator that only its weight tells apart, and of a file that could not be asked."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from isoform.core.divergence import EXECUTION, MEANING, Divergence, Explanation

FOUND = Divergence(EXECUTION, "gelu", ("gelu",), "", (), {}, "", 9.0, 9.0, 0.0, 8.0)


def test_an_operator_within_the_limit_is_said_to_be_told_by_its_weight() -> None:
    found = Divergence(
        MEANING, "main/42 (CONV_2D)", ("main/42 (CONV_2D)",), "norm (BatchNormalization)", ("conv (Conv)",), {}, "",
        0.16, 0.07, 0.1, 2.0, "the weight 'w/folded' is not 'w' of the reference", outputs=False,
    )  # fmt: skip
    assert found.lines() == [
        "first differs at main/42 (CONV_2D), in the reference norm (BatchNormalization)",
        "  R_rms 0.16 (limit 2); by itself 0.07, inherited 0.1",
        "  suspected: the weight 'w/folded' is not 'w' of the reference",
        "  nothing computed shows it on these cases: it is a weight that differs",
    ]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ([MEANING, EXECUTION], "no operator differs"),
        ([MEANING], "no operator means something else than its reference; how they are computed was not asked"),
        ([EXECUTION], "no operator is computed too inexactly; what they mean was not asked"),
        ([], "not explained: nothing could be asked"),
    ],
)
def test_that_no_operator_differs_is_said_only_where_everything_was_asked(asked: Sequence[str], line: str) -> None:
    assert Explanation("model.onnx", "", None, ("a note",), asked).lines() == [line, "  a note"]


def test_an_obstacle_is_said_in_the_place_of_an_answer_and_below_one() -> None:
    told = Explanation("model", "", None, ("a note",), [EXECUTION], ["'X' (node n): no onnx form here."])
    reason = "not explained: 'X' (node n): no onnx form here."
    assert told.lines() == [reason, "  no operator is computed too inexactly", "  a note"]
    assert replace(told, asked=[]).lines() == [reason, "  a note"]
    assert replace(told, divergence=FOUND).lines() == [*FOUND.lines(), f"  {reason}", "  a note"]
