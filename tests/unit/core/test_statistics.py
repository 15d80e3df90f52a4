"""Quantiles and intervals against hand-computed numbers, published counts and properties."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.core.statistics import median, median_interval, quantile, queries_needed, undisturbed


def test_an_undisturbed_query_is_the_lower_decile_whatever_the_load_did_to_half_of_them():
    assert undisturbed([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110]) == 20
    assert undisturbed([100, 101] * 5 + [900] * 11) == undisturbed([100, 101] * 5 + [5000] * 11)
    assert undisturbed([7]) == 7


@pytest.mark.parametrize(("fraction", "count"), [(0.9, 64), (0.99, 662), (0.999, 6_636)])
def test_the_queries_a_quantile_needs_are_those_of_mlperf(fraction, count):
    assert queries_needed(fraction) == count


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99])
def test_two_queries_beyond_the_quantile_are_likely_from_the_count_on_and_not_before(fraction):
    def at_most_one_beyond(count):
        return sum(math.comb(count, k) * (1 - fraction) ** k * fraction ** (count - k) for k in (0, 1))

    count = queries_needed(fraction)
    assert at_most_one_beyond(count) <= 0.01 < at_most_one_beyond(count - 1)


def test_a_quantile_is_the_observation_of_its_rank():
    values = list(range(1, 101))
    random.Random(3).shuffle(values)
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.9) == 90


def test_a_quantile_of_too_few_queries_is_refused():
    assert quantile([1.0] * 661, 0.99) is None
    assert quantile([1.0] * 662, 0.99) == 1.0


@given(st.lists(st.integers(1, 10**9), min_size=64, max_size=200))
def test_the_p90_leaves_at_most_a_tenth_above_it_and_is_an_observation(values):
    p90 = quantile(values, 0.9)
    assert p90 in values
    assert sum(value > p90 for value in values) <= 0.1 * len(values) + 1e-9
    assert sum(value < p90 for value in values) < 0.9 * len(values)


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert median([4, 1, 3, 2]) == 2.5
    assert median([7]) == 7.0


def test_five_values_have_no_95_percent_interval_and_six_have():
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert median_interval([1, 2, 3, 4, 5, 6]) is not None


def test_the_interval_repeats_and_stays_within_the_values():
    values = [10.0, 10.4, 9.9, 10.1, 12.0, 10.2, 10.0]
    low, high = median_interval(values)
    assert (low, high) == median_interval(values)
    assert min(values) <= low <= median(values) <= high <= max(values)


def test_equal_values_have_an_interval_of_no_width():
    assert median_interval([3.0] * 10) == (3.0, 3.0)


def test_the_interval_covers_the_true_median_about_95_times_in_100():
    rng = np.random.default_rng(11)
    intervals = [median_interval(rng.standard_normal(20)) for _ in range(300)]
    covered = sum(low <= 0.0 <= high for low, high in intervals)
    assert 0.90 <= covered / 300 <= 0.99
