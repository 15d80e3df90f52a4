"""Gate 3 on made-up arrays: what passes, what fails, and that scale does not matter."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.core.cases import Floor
from isoform.core.f_distribution import f_quantile
from isoform.core.numerics import THRESHOLDS, Threshold, equivalent_tolerances, judge, small_sample_factor

OWN = THRESHOLDS["torch-jit"]
NONE = Floor(0.0, 0.0)


def outputs(noise: float = 1e-7, scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a float64 reference and a float32 run of the source with relative noise."""
    rng = np.random.default_rng(seed)
    y64 = rng.standard_normal((64, 10)) * scale
    return y64, (y64 * (1 + noise * rng.standard_normal(y64.shape))).astype(np.float32)


def judged(y64, ys, yt, floor: Floor = NONE, threshold: Threshold = OWN):
    return judge("y", [y64], [ys], [yt], floor, threshold)


def test_an_export_equal_to_the_source_loses_nothing() -> None:
    y64, ys = outputs()
    figures = judged(y64, ys, ys)
    assert figures.verdict == "PASS"
    assert figures.lost_bits == 0.0


def test_an_error_of_eight_times_the_sources_own_is_three_lost_bits_and_no_pass() -> None:
    y64, ys = outputs()
    figures = judged(y64, ys, (y64 + 8 * (ys - y64)).astype(np.float64))
    assert figures.r_rms == pytest.approx(8, rel=1e-6)
    assert figures.lost_bits == pytest.approx(3, rel=1e-6)
    assert figures.verdict == "WARN"
    assert figures.reason == "R_rms 8 > 4"


def test_litert_is_allowed_its_approximating_kernels_and_no_more() -> None:
    y64, ys = outputs()
    seven, twenty = (y64 + factor * (ys - y64) for factor in (7, 20))
    assert judged(y64, ys, seven, threshold=THRESHOLDS["litert"]).verdict == "PASS"
    assert judged(y64, ys, seven).verdict == "WARN"
    assert judged(y64, ys, twenty, threshold=THRESHOLDS["litert"]).verdict == "FAIL"


def test_one_wild_value_fails_though_the_rms_is_small() -> None:
    y64, ys = outputs()
    yt = ys.astype(np.float64)
    yt[0, 0] += 40 * np.abs(ys - y64).max()
    figures = judged(y64, ys, yt)
    assert figures.r_max > OWN.peak
    assert figures.verdict != "PASS"


@given(st.integers(-60, 60))
def test_the_verdict_does_not_depend_on_the_scale_of_the_outputs(exponent: int) -> None:
    y64, ys = outputs()
    factor = np.float32(2.0**exponent)
    plain = judged(y64, ys, y64 + 5 * (ys - y64))
    scaled = judged(y64 * factor, ys * factor, (y64 + 5 * (ys - y64)) * factor)
    assert scaled.r_rms == pytest.approx(plain.r_rms)
    assert scaled.verdict == plain.verdict


def test_a_lucky_source_does_not_make_the_gate_too_narrow() -> None:
    y64, _ = outputs()
    exact = y64.copy()
    yt = y64.astype(np.float32)
    assert judged(y64, exact, yt).verdict == "PASS"  # one rounding is within u * S
    assert judged(y64, exact, yt + np.float32(1e-4)).verdict == "FAIL"
    assert judged(y64, exact, yt + np.float32(1e-4), Floor(1e-4, 2e-4)).verdict == "PASS"


def test_a_source_without_three_good_digits_is_inconclusive() -> None:
    y64, ys = outputs(noise=1e-2)
    assert judged(y64, ys, ys).verdict == "INCONCLUSIVE"


def test_outputs_that_are_all_zero_pass_only_as_zeros() -> None:
    zeros = np.zeros((4, 100))
    assert judged(zeros, zeros, zeros).verdict == "PASS"
    assert judged(zeros, zeros, zeros + 1e-30).verdict == "FAIL"


def test_places_that_are_infinite_in_the_reference_are_left_to_gate_0() -> None:
    y64, ys = outputs()
    y64[0, 0] = ys[0, 0] = -math.inf
    assert judged(y64, ys, ys).verdict == "PASS"


@pytest.mark.parametrize(("n", "expected"), [(2, 999.0), (10, 8.753866), (100, 1.867401)])
def test_the_f_quantile_is_that_of_the_tables(n: int, expected: float) -> None:
    assert f_quantile(0.999, n, n) == pytest.approx(expected, rel=1e-6)


def test_few_elements_widen_the_limits_and_many_do_not() -> None:
    assert small_sample_factor(256) == 1.0
    assert small_sample_factor(10) == pytest.approx(math.sqrt(8.753866), rel=1e-6)


def test_the_equivalent_tolerances_just_hold() -> None:
    rng = np.random.default_rng(1)
    reference = rng.standard_normal(1000)
    export = reference * (1 + 1e-5 * rng.standard_normal(1000)) + 1e-9
    rtol, atol = equivalent_tolerances(reference, export)
    assert np.all(np.abs(export - reference) <= atol + rtol * np.abs(reference) + 1e-15)
    assert not np.all(np.abs(export - reference) <= 0.9 * (atol + rtol * np.abs(reference)))
