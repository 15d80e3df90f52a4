"""Gate 4: what counts as a decision, how many samples tell, and that an interval holds what it says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.core import decisions
from isoform.core.cases import Cases
from isoform.core.signature import Signature, TensorSpec

RNG = np.random.default_rng(0)


def gate(teacher: np.ndarray, found: np.ndarray, name: str = "y", shape: tuple[int | str, ...] = ("batch", 10)):
    """Judge one output, its rows in batches of 16."""
    signature = Signature((TensorSpec("x", "float32", ("batch", 1)),), (TensorSpec(name, str(teacher.dtype), shape),))
    rows = [slice(begin, begin + 16) for begin in range(0, len(teacher), 16)]
    inputs = tuple({"x": np.zeros((len(teacher[each]), 1), np.float32)} for each in rows)
    known = Cases(("representative",) * len(rows), inputs, source=tuple({name: teacher[each]} for each in rows))
    return decisions.judge(signature, known, [{name: found[each]} for each in rows])


def classes(count: int, off: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of classes, and the same with another winner in the first ``off`` rows."""
    teacher = RNG.normal(size=(count, 10)).astype(np.float32)
    found = teacher + np.float32(1e-3)
    found[:off] = -found[:off]
    return teacher, found


@pytest.mark.parametrize(
    ("count", "off", "verdict", "told"),
    [
        (512, 0, "PASS", "100.00% of the decisions on 512 samples are the source's, at least 99.42%"),
        (512, 1, "PASS", "99.80% of the decisions"), (512, 5, "INCONCLUSIVE", "more samples would tell"),
        (512, 20, "FAIL", "where 99% are wanted"), (299, 0, "PASS", "100.00%"),
        (298, 0, "INCONCLUSIVE", "299 that all agree would do"), (16, 1, "INCONCLUSIVE", "299 that all"),
    ],
)  # fmt: skip
def test_the_share_has_to_hold_with_certainty(count: int, off: int, verdict: str, told: str) -> None:
    found = gate(*classes(count, off))
    assert found.verdict == verdict
    assert told in found.findings[0]


def test_so_many_have_to_agree_that_a_share_below_is_seldom_seen() -> None:
    assert 0.99 ** decisions.fewest() <= 0.05 < 0.99 ** (decisions.fewest() - 1)


@settings(deadline=None, max_examples=15)
@given(st.integers(300, 600), st.floats(0.9, 1.0), st.integers(0, 2**31))
def test_the_lower_end_is_below_the_share_and_nearer_with_more_samples(count: int, share: float, seed: int) -> None:
    agreeing = (np.random.default_rng(seed).random(count) < share).astype(float)
    low, high = decisions.interval(agreeing)
    assert low <= agreeing.mean() <= high
    more = decisions.interval(np.tile(agreeing, 4))
    assert more[1] - more[0] <= high - low


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97, 0.99])
def test_an_end_of_the_interval_is_wrong_in_at_most_one_draw_of_twenty(share: float) -> None:
    """Hold by the probability of each outcome, not by draws: what may come out is known."""
    chances = [math.comb(100, agreed) * share**agreed * (1 - share) ** (100 - agreed) for agreed in range(101)]
    ends = [decisions.interval(np.repeat((1.0, 0.0), (agreed, 100 - agreed))) for agreed in range(101)]
    assert sum(chance for chance, (low, _) in zip(chances, ends, strict=True) if low > share) <= 0.05
    assert sum(chance for chance, (_, high) in zip(chances, ends, strict=True) if high < share) <= 0.05


@pytest.mark.parametrize(
    ("agreed", "count", "low", "high"), [(10, 10, 0.7411, 1.0), (8, 10, 0.4931, 0.9632), (0, 10, 0.0, 0.2589)]
)
def test_the_interval_is_the_one_of_the_tables(agreed: int, count: int, low: float, high: float) -> None:
    found = decisions.interval(np.repeat((1.0, 0.0), (agreed, count - agreed)))
    assert found == pytest.approx((low, high), abs=5e-5)


def test_samples_that_agree_in_part_are_counted_against_each_end() -> None:
    low, high = decisions.interval(np.array([1.0] * 9 + [0.5]))
    assert (low, high) == (decisions.interval(np.array([1.0] * 9 + [0.0]))[0], 1.0)


@pytest.mark.parametrize(
    ("teacher", "found", "verdict"),
    [
        (np.full((400, 1), 0.6, np.float32), np.full((400, 1), 0.51, np.float32), "PASS"),
        (np.full((400, 1), 0.6, np.float32), np.full((400, 1), 0.49, np.float32), "FAIL"),
        (np.full((400, 1), -3.0, np.float32), np.full((400, 1), -0.1, np.float32), "PASS"),
        (np.full((400, 1), -3.0, np.float32), np.full((400, 1), 0.1, np.float32), "FAIL"),
        (np.full(400, 7, np.int64), np.full(400, 7, np.int64), "PASS"),
        (np.full(400, 7, np.int64), np.full(400, 8, np.int64), "FAIL"),
    ],
)
def test_one_number_decides_for_a_side_and_an_integer_is_a_decision(teacher, found, verdict: str) -> None:
    assert gate(teacher, found, shape=("batch",) if teacher.ndim == 1 else ("batch", 1)).verdict == verdict


@pytest.mark.parametrize(("noise", "verdict"), [(0.05, "PASS"), (0.2, "FAIL")])
def test_what_decides_nothing_has_to_be_near(noise: float, verdict: str) -> None:
    image = RNG.normal(size=(320, 3, 4, 4)).astype(np.float32)
    off = (image + noise * RNG.normal(size=image.shape)).astype(np.float32)
    assert gate(image, off, "image", ("batch", 3, 4, 4)).verdict == verdict


def test_scores_of_steps_decide_step_by_step_and_numbers_that_are_none_never_agree() -> None:
    scores = RNG.normal(size=(320, 5, 7)).astype(np.float32)
    half = scores.copy()
    half[:, 0] = -half[:, 0]
    assert "80.00% of the decisions" in gate(scores, half, "logits", ("batch", 5, 7)).findings[0]
    assert gate(scores, np.full_like(scores, np.nan), "logits", ("batch", 5, 7)).verdict == "FAIL"
    assert gate(scores, scores[:, :4], "logits", ("batch", 5, 7)).verdict == "FAIL"


def test_real_samples_are_taken_once_each_and_keep_their_length() -> None:
    signature = Signature((TensorSpec("tokens", "int64", ("batch", "length")),), ())
    real = np.arange(40 * 9).reshape(40, 9)
    found = decisions.samples(signature, {"tokens": real}, {})
    np.testing.assert_array_equal(np.concatenate([case["tokens"] for case in found.inputs]), real)
    assert [len(case["tokens"]) for case in found.inputs] == [16, 16, 8]


def test_without_real_samples_they_are_generated_at_sizes_that_the_model_takes() -> None:
    signature = Signature((TensorSpec("x", "float32", ("batch", "length", 3)),), ())
    found = decisions.samples(signature, {}, {"batch": (1, 2), "length": (5,)}, 64)
    assert {case["x"].shape for case in found.inputs} == {(2, 5, 3)}
    assert sum(len(case["x"]) for case in found.inputs) == 64
