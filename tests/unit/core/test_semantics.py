"""R_sem: what float64 says of two functions that float32 cannot tell apart."""

import math

import numpy as np
import pytest

from isoform.core.cases import CENTRE, Cases, Floor
from isoform.core.semantics import LIMIT, SAME, can_be_judged, chosen, ratios, untold

RNG = np.random.default_rng(0)
INPUTS = tuple({"x": RNG.normal(size=(rows, 4)).astype(np.float32)} for rows in (3, 1, 1, 2))
KINDS = ("gaussian", "gaussian", "large", "large")
Y64 = tuple({"y": np.tanh(case["x"].astype(np.float64)), "n": np.array([1])} for case in INPUTS)
FLOOR = 1e-8


def known(method: str = "float64") -> Cases:
    source = tuple({"y": case["y"].astype(np.float32), "n": case["n"]} for case in Y64)
    return Cases(KINDS, INPUTS).with_reference(Y64, source, {"y": (Floor(FLOOR, 4 * FLOOR),) * 4}, method)


def changed(by: float) -> list[dict[str, np.ndarray]]:
    """Return the reference with every value off by ``by``, up or down."""
    return [{"y": case["y"] + by * np.where(np.arange(4) % 2, 1, -1), "n": case["n"]} for case in Y64]


def test_the_same_function_is_at_zero_and_integers_are_not_its_matter() -> None:
    assert ratios(known(), Y64) == {"y": 0.0}


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0, 1000.0])
def test_the_ratio_is_the_difference_in_units_of_what_rounding_does(times: float) -> None:
    scale = np.sqrt(np.mean(np.square(np.concatenate([case["y"] for case in Y64]))))
    allowed = max(FLOOR, 2.0**-24 * scale)
    assert ratios(known(), changed(times * allowed))["y"] == pytest.approx(times)


def test_weights_rounded_once_are_the_same_function_and_another_function_is_not() -> None:
    rounded = [{"y": case["y"].astype(np.float32).astype(np.float64)} for case in Y64]
    assert ratios(known(), rounded)["y"] < LIMIT
    other = [{"y": np.tanh(case["x"].astype(np.float64) * (1 + 1e-5))} for case in INPUTS]
    assert ratios(known(), other)["y"] > 10 * LIMIT


@pytest.mark.parametrize("answer", [np.full((3, 4), np.nan), np.full((3, 4), np.inf), np.zeros((3, 5))])
def test_what_is_not_finite_or_of_another_shape_is_infinitely_far(answer: np.ndarray) -> None:
    assert math.isinf(ratios(known(), [{"y": answer}, *Y64[1:]])["y"])


def test_an_output_that_is_not_there_is_infinitely_far() -> None:
    assert math.isinf(ratios(known(), [{}, *Y64[1:]])["y"])


def test_where_the_reference_is_not_finite_nothing_is_compared() -> None:
    reference = ({"y": np.array([np.inf, 1.0])},)
    cases = Cases(("given",), ({"x": np.zeros(2)},)).with_reference(reference, reference, {"y": (Floor(0.0, 0.0),)})
    assert ratios(cases, [{"y": np.array([np.nan, 1.0])}]) == {"y": 0.0}


def test_the_smallest_case_of_each_kind_is_asked() -> None:
    assert chosen(known()) == [1, 2]


def test_a_reference_that_is_no_float64_judges_nothing() -> None:
    assert can_be_judged(known())
    assert not can_be_judged(known(CENTRE))
    assert not can_be_judged(Cases(KINDS, INPUTS))


def unsteady(own: float) -> Cases:
    """Return the cases of a source whose float32 run is off by ``own``."""
    source = tuple({"y": (case["y"] + own).astype(np.float32), "n": case["n"]} for case in Y64)
    return Cases(KINDS, INPUTS).with_reference(Y64, source, {"y": (Floor(FLOOR, 4 * FLOOR),) * 4})


@pytest.mark.parametrize(("by", "is_told"), [(0.0, True), (1e-9, True), (1e-4, False)])
def test_where_the_source_has_no_good_digits_float64_has_to_agree_closely(by: float, is_told: bool) -> None:
    cases = unsteady(0.1)
    assert ratios(cases, changed(by))["y"] < LIMIT, "held against the source's own error anything passes"
    assert (untold(cases, changed(by)) == {}) == is_told
    assert untold(unsteady(1e-8), changed(by)) == {}


def test_true_ties_at_a_few_inputs_leave_the_others_to_tell() -> None:
    tied, many = [*Y64[:3], changed(0.5)[3]], [*Y64[:2], *changed(0.5)[2:]]
    assert untold(unsteady(0.1), tied) == {}
    assert untold(unsteady(0.1), many)["y"] > SAME
