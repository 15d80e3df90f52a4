"""Usual claims are held against what was measured, and only against what could be told."""

import json

import pytest

from isoform.core.comparison import FASTER, SAME, SLOWER, UNCLEAR, UNFIT, Comparison, Group
from isoform.core.frameworks import DID_NOT, HELD, MIXED, UNTOLD, Compared, Mode, Scaling, by_group, outcomes
from written_records import COMPARED


def comparison(ratio: float, spread: float = 0.001, control: float = 1.0) -> Comparison:
    groups = [Group((1e6,), (1e6 * control,), (1e6 * ratio * (1 + spread * (place - 3)),)) for place in range(7)]
    return Comparison(2, tuple(groups), 0.05)


def model(name: str, step: Comparison, inference: Comparison, memory: Comparison | None = None) -> Compared:
    return Compared(name, (Mode("keras", "function", step, inference, None),), memory)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (comparison(1.01), SAME), (comparison(1.2), SLOWER), (comparison(0.8), FASTER),
        (comparison(1.05, spread=0.02), UNCLEAR), (comparison(1.2, control=1.2), UNFIT),
    ],
)  # fmt: skip
def test_verdicts_are_those_of_comparisons(found: Comparison, verdict: str) -> None:
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ((1.01, 0.99), HELD), ((1.3, 0.7), DID_NOT), ((1.0, 1.3), MIXED), ((None, 1.0), HELD), ((None, None), UNTOLD),
        ((None, 1.3), DID_NOT),
    ],
)  # fmt: skip
def test_a_claim_holds_by_the_models_that_could_be_told(steps: tuple[float | None, ...], word: str) -> None:
    told = [comparison(1.0, control=1.5) if step is None else comparison(step) for step in steps]
    models = [model(str(place), step, comparison(1.0)) for place, step in enumerate(told)]
    training = next(one for one in outcomes(models) if one.claim.subject == "training")
    assert training.word == word


def test_what_was_not_measured_decides_nothing() -> None:
    assert {outcome.word for outcome in outcomes([Compared("net")])} == {UNTOLD}


def test_memory_is_compared_process_by_process() -> None:
    found = by_group([100] * 6, [100] * 6, [190, 191, 189, 190, 192, 190])
    assert (found.verdict, round(found.ratio, 2)) == (SLOWER, 1.9)


def test_two_workers_that_take_half_the_time_lose_nothing() -> None:
    assert Scaling("torch", 2, 10.0, 5.0).efficiency == 1.0
    assert Scaling("torch", 2, 10.0, 10.0).efficiency == 0.5


def test_a_record_is_read_as_it_was_written() -> None:
    assert Compared.from_json(json.loads(json.dumps(COMPARED.to_json()))) == COMPARED
    assert Compared.from_json(Compared("bare").to_json()) == Compared("bare")
