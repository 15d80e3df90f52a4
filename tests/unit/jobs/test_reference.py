"""References without float64: the centre of disturbed runs is near the truth, their spread near the rounding floor."""

from collections.abc import Iterable

import numpy as np

from isoform.core.cases import CENTRE, Cases, Floor, Tensors
from isoform.core.protocols import RunOptions
from isoform.jobs.reference import DRAWS, MOVED, _moved, around_centre, in_float64

WEIGHT = np.random.default_rng(1).standard_normal((64, 8))


def network(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
    """Run x @ W in float32, with the weights disturbed as the options say."""
    weight = WEIGHT.astype(np.float32)
    if options.perturbation:
        weight = (weight * options.perturbation.draws()(weight.shape)).astype(np.float32)
    return [{"y": case["x"] @ weight, "top": (case["x"] @ weight).argmax(-1)} for case in inputs]


def recorded() -> tuple[Cases, list[Tensors]]:
    rng = np.random.default_rng(0)
    cases = Cases(("gaussian",) * 8, tuple({"x": rng.standard_normal((4, 64)).astype(np.float32)} for _ in range(8)))
    exact = [
        {"y": case["x"].astype(np.float64) @ WEIGHT.astype(np.float32).astype(np.float64)} for case in cases.inputs
    ]
    source = network(RunOptions(), cases.inputs)
    return around_centre(network, cases, source, lambda **event: None), exact


def rms(values: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.square(np.concatenate([value.ravel() for value in values])))))


def test_the_centre_is_as_close_to_the_truth_as_the_source_itself() -> None:
    cases, exact = recorded()
    assert cases.method == CENTRE
    assert cases.reference is not None
    assert cases.source is not None
    own = rms([one["y"] - two["y"] for one, two in zip(cases.source, exact, strict=True)])
    centre = rms([one["y"] - two["y"] for one, two in zip(cases.reference, exact, strict=True)])
    assert centre < 1.5 * own


def test_the_spread_is_the_rounding_floor_of_the_exact_function() -> None:
    cases, _ = recorded()
    assert cases.floors is not None
    u = 2.0**-24
    # y = sum of x w: disturbances of x and w, uniform in +-u, have a standard deviation of u / sqrt(3) each
    variance = [2 * u**2 / 3 * np.square(case["x"]) @ np.square(WEIGHT) for case in cases.inputs]
    expected = float(np.sqrt(np.mean(np.concatenate([value.ravel() for value in variance]))))
    floor = Floor.over(cases.floors["y"], [1] * len(cases))
    assert 0.7 < floor.rms / expected < 1.4
    assert all(each.peak > each.rms for each in cases.floors["y"])


def test_integer_outputs_are_the_sources_own() -> None:
    cases, _ = recorded()
    assert cases.reference is not None
    assert cases.source is not None
    assert all((one["top"] == two["top"]).all() for one, two in zip(cases.reference, cases.source, strict=True))
    assert cases.floors is not None
    assert set(cases.floors) == {"y"}


def test_numbers_move_by_a_part_of_their_step_and_few_integers_by_one() -> None:
    rng = np.random.default_rng(0)
    case = {
        "image": rng.standard_normal((64, 64)).astype(np.float32),
        "codes": rng.integers(-128, 128, (64, 64)).astype(np.int8),
        "places": np.arange(64),
    }
    [moved] = _moved([case], {"image": 0.5, "codes": 1.0}, seed=0)
    difference = np.abs(moved["image"] - case["image"])
    assert 0 < difference.max() <= 0.5 * MOVED * 1.001
    steps = moved["codes"].astype(int) - case["codes"]
    assert set(np.unique(steps)) == {-1, 0, 1}
    assert 0 < np.mean(steps != 0) < MOVED
    assert np.array_equal(moved["places"], case["places"])
    assert [array.dtype for array in moved.values()] == [array.dtype for array in case.values()]


def test_a_case_of_many_numbers_takes_one_draw_and_all_draws_have_their_turn() -> None:
    asked: list[tuple[int | None, int]] = []

    def wide(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        given = list(inputs)
        asked.append((options.perturbation.seed if options.perturbation else None, len(given)))
        return [{"y": case["x"] @ np.ones((64, 1000))} for case in given]

    cases = Cases(("gaussian",) * 8, tuple({"x": np.full((1, 64), place, np.float32)} for place in range(8)))
    known = in_float64(wide, cases, wide(RunOptions(), cases.inputs), lambda **event: None)
    assert asked[2:] == [(draw, 8 // DRAWS) for draw in range(DRAWS)]
    assert known.floors is not None
    # y is the sum of x: a disturbance of x by u moves it, in every case but that of zeros
    assert [floor.rms > 0 for floor in known.floors["y"]] == [False, *[True] * 7]
