"""Pareto fronts: what beats what, by hand and by properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.stages.report.front import Cost, beats, front, steps


def cost(size: float = 1000, latency: float = 100, bits: float = 0.0, spread: float = 1) -> Cost:
    return Cost(size, (latency - spread, latency + spread), bits)


def test_one_that_is_better_in_a_figure_and_worse_in_none_beats() -> None:
    assert beats(cost(size=500), cost())
    assert beats(cost(latency=50), cost())
    assert beats(cost(bits=0), cost(bits=2))
    assert not beats(cost(), cost())


def test_trade_offs_stand_beside_each_other() -> None:
    assert front([cost(size=500, latency=200), cost(size=1000, latency=100)]) == [True, True]


def test_latencies_whose_intervals_overlap_decide_nothing() -> None:
    assert front([cost(latency=100, spread=10), cost(latency=115, spread=10)]) == [True, True]
    assert front([cost(latency=100, spread=10), cost(latency=115, spread=10, size=2000)]) == [True, False]


def test_a_header_more_or_half_a_bit_makes_no_difference() -> None:
    assert front([cost(size=67_436_544, bits=0.0), cost(size=67_462_808, bits=0.4)]) == [True, True]


def test_infinite_bits_are_beaten_by_any() -> None:
    assert front([cost(bits=math.inf), cost(bits=9)]) == [False, True]


costs = st.builds(
    lambda size, low, width, bits: Cost(size, (low, low + width), bits),
    st.floats(1, 1e9), st.floats(1, 1e6), st.floats(0, 1e6), st.floats(0, 30),
)  # fmt: skip


@given(st.lists(costs, min_size=1, max_size=12))
def test_something_is_always_on_the_front_and_nothing_on_it_is_beaten(found: list[Cost]) -> None:
    told = front(found)
    assert any(told)
    for is_on, each in zip(told, found, strict=True):
        assert is_on is not any(beats(other, each) for other in found)


def test_a_staircase_goes_down_in_right_angles() -> None:
    assert steps([(3, 1), (1, 5), (2, 5), (2, 3), (4, 4)]) == [(1, 5), (2, 5), (2, 3), (3, 3), (3, 1)]


@pytest.mark.parametrize("points", [[(1.0, 1.0)], []])
def test_a_staircase_of_one_point_is_a_point(points: list[tuple[float, float]]) -> None:
    assert steps(points) == points
