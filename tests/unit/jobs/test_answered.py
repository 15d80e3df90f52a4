"""Generated cases that a source does not run on are left out openly, the user's own never; answers have to be alike."""

import re
from collections.abc import Iterable

import numpy as np
import pytest

from isoform.core.cases import Cases, Tensors
from isoform.core.protocols import RunOptions
from isoform.errors import IsoformError
from isoform.jobs.answered import answered


def network(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
    """Return the mean of what is not padding, as code that refuses padding alone."""
    found = []
    for case in inputs:
        if not case["ids"].any():
            raise RuntimeError("at least one constituent should have elements\nand more")
        found.append({"y": case["ids"][case["ids"] > 0].mean()})
    return found


def cases(*rows: list[int], kinds: tuple[str, ...]) -> Cases:
    return Cases(kinds, tuple({"ids": np.array(row)} for row in rows))


def test_all_cases_that_run_are_answered_at_once() -> None:
    found = answered(network, cases([1, 3], [2, 0], kinds=("ones", "tiny")))
    assert [float(case["y"]) for case in found.source] == [2.0, 2.0]
    assert found.notes == ()


def test_a_generated_case_that_does_not_run_is_left_out_and_told_of() -> None:
    found = answered(network, cases([1, 3], [0, 0], [4, 0], kinds=("ones", "zeros", "tiny")))
    assert found.cases.kinds == ("ones", "tiny")
    assert [float(case["y"]) for case in found.source] == [2.0, 4.0]
    assert found.notes == (
        "left out 1 of 3 cases, on which the source does not run (zeros): "
        "RuntimeError: at least one constituent should have elements",
    )


@pytest.mark.parametrize(
    ("rows", "kinds", "which"),
    [
        (([1, 3], [0, 0]), ("given", "given"), "1 of 2 cases (given)"),
        (([0, 0], [0, 0], [1, 1]), ("zeros", "zeros", "ones"), "2 of 3 cases (zeros)"),
    ],
)
def test_a_users_case_or_most_of_those_generated_are_an_error(
    rows: tuple[list[int], ...], kinds: tuple[str, ...], which: str
) -> None:
    with pytest.raises(IsoformError) as caught:
        answered(network, cases(*rows, kinds=kinds))
    assert caught.value.what == (
        f"The source does not run on {which}: RuntimeError: at least one constituent should have elements"
    )
    assert caught.value.hint == "Give inputs that it takes with --cases, or the range of integers in --input."


@pytest.mark.parametrize("is_longer", [False, True])
def test_a_source_that_draws_random_numbers_is_refused(is_longer: bool) -> None:
    noise = np.random.default_rng(0)

    def drawing(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        return [{"y": case["x"] + noise.random(len(case["x"])) * (not is_longer)} for case in inputs]

    def growing(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        return [{"y": np.ones(2 + place)} for place, _ in enumerate(inputs)]

    given = Cases(("zeros", "ones"), ({"x": np.zeros(8)}, {"x": np.ones(8)}))
    with pytest.raises(IsoformError) as caught:
        answered(growing if is_longer else drawing, given)
    assert caught.value.kind == "random"
    assert re.fullmatch(
        r"The source answers the same inputs otherwise the second time, 'y' by [\d.]+% of its size: "
        r"it draws random numbers, or keeps what it was given\.",
        caught.value.what,
    )


def test_another_order_of_summation_is_nothing_random() -> None:
    noise = np.random.default_rng(0)

    def rounding(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        return [{"y": case["x"] * (1 + 1e-6 * noise.random(len(case["x"])))} for case in inputs]

    found = answered(rounding, Cases(("zeros", "ones"), ({"x": np.zeros(8)}, {"x": np.ones(8)})))
    assert len(found.source) == 2
