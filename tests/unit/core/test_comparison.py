"""Verdicts on made-up timings: noise of a machine and differences of models are drawn, so that the truth is known."""

import math
import random

import pytest

from isoform.core.comparison import FASTER, SAME, SLOWER, UNCLEAR, UNFIT, Comparison, Group


def groups(count: int, slowdown: float, spread: float = 0.015, noise: float = 0.3, seed: int = 0) -> tuple[Group, ...]:
    """Return groups whose processes differ by ``spread``, in blocks that the machine disturbs by up to ``noise``."""
    rng = random.Random(seed)

    def process(factor: float, disturbed: list[float]) -> tuple[float, ...]:
        own = factor * math.exp(rng.gauss(0, spread))
        return tuple(1e6 * own * each * math.exp(rng.gauss(0, 0.01)) for each in disturbed)

    found = []
    for _ in range(count):
        machine = [1 + noise * rng.random() for _ in range(20)]
        found.append(Group(process(1, machine), process(1, machine), process(slowdown, machine)))
    return tuple(found)


def verdicts(slowdown: float, trials: int = 60) -> list[str]:
    """Return the verdicts of as many comparisons, each of ten groups, then twenty and thirty while it is open."""
    found = []
    for seed in range(trials):
        everything = groups(30, slowdown, seed=seed)
        looks = [Comparison(1, everything[:count]) for count in (10, 20, 30)]
        found.append(next((look for look in looks if look.is_settled), looks[-1]).verdict)
    return found


def test_a_model_is_never_called_different_from_itself() -> None:
    found = verdicts(1.0)
    assert SLOWER not in found
    assert FASTER not in found
    assert found.count(SAME) >= 57


@pytest.mark.parametrize(("slowdown", "wanted"), [(1.05, SLOWER), (1 / 1.05, FASTER)])
def test_five_percent_are_found_although_the_machine_swings_by_thirty(slowdown: float, wanted: str) -> None:
    found = verdicts(slowdown)
    assert found.count(wanted) >= 57
    assert {*found} <= {wanted, UNCLEAR, UNFIT}


def test_the_ratio_is_what_was_planted() -> None:
    found = Comparison(2, groups(30, 1.5))
    assert found.ratio == pytest.approx(1.5, rel=0.02)
    low, high = found.interval
    assert low < 1.5 < high
    assert found.baseline_ns == pytest.approx(1.15e6, rel=0.05)


def test_a_difference_at_the_threshold_is_not_distinguishable() -> None:
    assert Comparison(1, groups(10, 1.03)).verdict == UNCLEAR


def test_a_machine_that_cannot_tell_a_model_from_itself_gives_no_verdict() -> None:
    wild = groups(10, 1.3, spread=0.2)
    assert Comparison(1, wild).verdict == UNFIT


def test_what_is_far_beyond_the_spread_of_a_model_and_itself_is_told_all_the_same() -> None:
    wild = groups(10, 1.0, spread=0.05)
    assert Comparison(1, wild).verdict == UNFIT
    assert Comparison(1, groups(10, 4.0, spread=0.05)).verdict == SLOWER
    assert Comparison(1, groups(10, 0.25, spread=0.05)).verdict == FASTER
    assert Comparison(1, groups(10, 1.05, spread=0.05)).verdict == UNFIT


@pytest.mark.parametrize("spread", [0.03, 0.05, 0.1, 0.3])
def test_a_model_is_never_called_different_from_itself_however_unfit_the_machine(spread: float) -> None:
    found = {Comparison(1, groups(10, 1.0, spread=spread, seed=seed)).verdict for seed in range(200)}
    assert found & {FASTER, SLOWER} == set()


def test_five_groups_are_too_few() -> None:
    found = Comparison(1, groups(5, 1.5))
    assert found.interval is None
    assert found.verdict == UNFIT
    assert "too few for an interval" in str(found)


def test_the_record_holds_every_block() -> None:
    document = Comparison(1, groups(6, 1.0)).to_json()
    assert len(document["groups"]) == 6
    assert {len(blocks) for group in document["groups"] for blocks in group.values()} == {20}
