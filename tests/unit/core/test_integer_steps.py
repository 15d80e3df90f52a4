"""Gate 3 for quantised graphs, on made-up integers: what is counted, what passes, and which faults do not."""

from collections.abc import Callable

import numpy as np
import pytest

from isoform.core.cases import INTEGERS, Cases, Floor, load, save
from isoform.core.integer_steps import THRESHOLD, judge_steps
from isoform.core.parity import Gate, assess
from isoform.core.signature import Signature, TensorSpec

STEP = 0.05
NOTHING = Floor(0.0, 0.0)
RNG = np.random.default_rng(0)
SOURCE = RNG.integers(-100, 100, (64, 10))


def judged(export: np.ndarray, floor: Floor = NOTHING):
    numbers = (SOURCE * STEP).astype(np.float32), (export * STEP).astype(np.float32)
    return judge_steps("y", [numbers[0]], [numbers[1]], STEP, floor, THRESHOLD)


def moved(share: float, steps: int = 1) -> np.ndarray:
    rng = np.random.default_rng(1)
    return SOURCE + steps * (rng.random(SOURCE.shape) < share) * rng.choice([-1, 1], SOURCE.shape)


def test_equal_integers_pass_and_are_counted() -> None:
    figures = judged(SOURCE)
    assert (figures.verdict, figures.counted) == ("PASS", "100.00% equal, 0.00% one step off, none further")
    assert figures.measured == "quantised"


def test_single_steps_pass_up_to_a_quarter_of_the_values() -> None:
    assert judged(moved(0.2)).verdict == "PASS"
    assert judged(moved(0.2)).r_max == pytest.approx(THRESHOLD.peak, rel=2e-3)
    assert judged(moved(0.4)).verdict == "FAIL"


def test_one_value_two_steps_off_fails_where_the_source_is_calm() -> None:
    export = SOURCE.copy()
    export[3, 4] += 2
    figures = judged(export)
    assert figures.verdict == "FAIL"
    assert figures.reason == "R_max 5.99 > 3"
    assert figures.counted == "99.84% equal, 0.00% one step off, 1 of 640 further, 2 at most"


def test_what_single_steps_inside_do_to_the_source_is_allowed_and_no_more() -> None:
    floor = Floor(rms=1.5 * STEP, peak=4 * STEP)
    assert judged(moved(0.5, steps=3), floor).verdict == "PASS"
    assert judged(moved(0.9, steps=4), floor).verdict == "FAIL"
    assert judged(SOURCE + 13 * (np.arange(10) == 0), floor).verdict == "FAIL"


@pytest.mark.parametrize(
    "fault",
    [
        lambda q: q + 1,
        lambda q: q * 1.05,
        lambda q: np.clip(q, -60, 60),
        lambda q: q[:, ::-1],
        lambda q: np.where(np.arange(10) == 3, 0, q),
        lambda q: np.where(SOURCE > 98, np.nan, q),
    ],
    ids=["zero point", "scale", "range", "order", "channel", "NaN"],
)
def test_faults_of_quantisation_fail(fault: Callable[[np.ndarray], np.ndarray]) -> None:
    assert judged(fault(SOURCE)).verdict == "FAIL"


def test_nothing_is_said_where_single_steps_are_a_quarter_of_the_output() -> None:
    figures = judged(SOURCE, Floor(rms=20 * STEP, peak=60 * STEP))
    assert figures.verdict == "INCONCLUSIVE"
    assert figures.reason == "single steps inside move it by 34% of its size"


@pytest.fixture
def recorded() -> tuple[Signature, Cases]:
    """A source whose outputs are integers that stand for numbers, and a list of places that is exact."""
    signature = Signature(
        (TensorSpec.parse("x:int8[batch,10]"),),
        (TensorSpec.parse("q:int8[batch,10]"), TensorSpec.parse("place:int64[batch]")),
    )
    inputs = ({"x": SOURCE.astype(np.int8)},)
    answer = [{"q": SOURCE.astype(np.int8), "place": SOURCE.argmax(1)}]
    cases = Cases(("given",), inputs).with_reference(answer, answer, {"q": (Floor(0.0, 0.0),)}, INTEGERS, {"q": 1.0})
    return signature, cases


def test_integers_that_stand_for_numbers_are_counted_and_others_are_exact(recorded: tuple[Signature, Cases]) -> None:
    signature, cases = recorded
    answer = {"q": moved(0.01).astype(np.int8), "place": SOURCE.argmax(1)}
    record = assess("litert", signature, signature, cases, [answer], Gate("PASS"), Gate("NOT CHECKED"))
    assert record.verdict == "PASS"
    assert record.headline == "class quantised; 'q' 99.22% equal, 0.78% one step off, none further"
    answer["place"] = answer["place"] + 1
    record = assess("litert", signature, signature, cases, [answer], Gate("PASS"), Gate("NOT CHECKED"))
    assert record.verdict == "FAIL"
    assert record.gates["structure"].findings[0].startswith("'place' differs in 64 of 64 values")


def test_the_steps_are_kept_with_the_cases(recorded: tuple[Signature, Cases], tmp_path) -> None:
    _, cases = recorded
    save(cases, tmp_path / "cases.npz")
    again = load(tmp_path / "cases.npz")
    assert (again.method, again.steps) == (INTEGERS, {"q": 1.0})
