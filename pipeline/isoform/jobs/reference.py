"""What a source answers to cases, and how far rounding alone moves its answers.

A source that runs in float64 is its own reference. Where there is no float64 (SavedModel, TFLite), the reference is
the centre of float32 runs whose inputs and weights are disturbed by a few units in the last place; that is weaker. A
source that computes in integers of a scale is compared in their steps, with its own run.
"""

import gc
import importlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import CENTRE, FLOAT64, INTEGERS, Array, Cases, Floor, Tensors, widened
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation, RunOptions, Steps
from isoform.errors import IsoformError
from isoform.jobs.answered import Answers, answered, reason
from isoform.jobs.infer import opened

Progress = Callable[..., None]
DRAWS = 4
ENOUGH = 1000
"""Numbers of an output that say how far rounding moves a case; with so many, each case takes one draw in turn."""
PAIRS = 4
"""Mirrored pairs of disturbed float32 runs: what is linear in a disturbance cancels in their centre."""
_EVALUATOR = "onnx-reference"
MOVED = 1 / 64
"""Of a step. What comes out hardly depends on it: 1/64 and 1/4 moved a network's outputs by the same within 8 %."""
FLOAT32_STEPS = 4
"""A disturbance of one unit roundoff is mostly lost when a float32 is rounded; this many are not."""


def reference(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the cases with reference outputs, the source's own outputs and the rounding floor of every float output.

    Returns ``notes``, too: what the record's owner should know, a sentence each.

    Args:
        arguments: runtime, artifact, cases (path), outputs (path to write).
        progress: called with each finished step.
    """
    row, artifact = opened(arguments)
    cases = case_files.load(Path(arguments["cases"]))
    module = importlib.import_module(row.module)
    steps = module.steps(artifact) if hasattr(module, "steps") else None
    if steps is not None:
        return _of_integers(row, artifact, cases, steps, arguments, progress)
    answers = _runner(row, artifact)
    found = answered(answers, cases)
    progress(step="float32")
    notes = found.notes
    if row.is_source:
        try:
            return _recorded(in_float64(answers, found.cases, found.source, progress), row, arguments, notes)
        except (MemoryError, IsoformError):
            raise
        except Exception as error:  # noqa: BLE001 - the user's code, or an operator without float64; the note says it
            notes += (f"compared with disturbed float32 runs, as the source has no float64: {reason(error)}",)
    return _recorded(around_centre(answers, found.cases, found.source, progress), row, arguments, notes)


def _recorded(
    known: Cases, row: registry.Runtime, arguments: dict[str, Any], notes: Sequence[str] = ()
) -> dict[str, Any]:
    case_files.save(known.recorded(row.name), Path(arguments["outputs"]))
    return {"versions": {name: registry.version_of(name) for name in row.needs}, "notes": list(notes)}


def _of_integers(
    row: registry.Runtime, artifact: Artifact, cases: Cases, steps: Steps, arguments: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Record what a quantised source answers; floors are what single steps do that its inputs are moved by.

    An ONNX graph is run by ONNX Runtime without optimisation: each operator on numbers, as the standard words it.
    """
    if row.name == _EVALUATOR:
        row = registry.runtime("ort-cpu")
        registry.require(row)
    options, answers = RunOptions(is_optimised=row.name != "ort-cpu"), _runner(row, artifact)
    source = answers(options, cases.inputs)
    progress(step="integers")
    spread = Spread(source, steps.outputs)
    for draw in range(DRAWS):
        spread.add(answers(options, _moved(cases.inputs, steps.inputs, draw)))
        progress(step=f"moved {draw + 1}/{DRAWS}")
    known = cases.with_reference(source, source, spread.floors(), INTEGERS, steps.outputs)
    return _recorded(known, row, arguments)


def _runner(row: registry.Runtime, artifact: Artifact) -> Answers:
    module = importlib.import_module(row.module)

    def answers(options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        session = module.load(artifact, options)
        try:
            return [session.run(case) for case in inputs]
        finally:
            session.close()
            del session
            gc.collect()  # a framework's functions and models refer to each other: the next copy must not come on top

    return answers


def in_float64(answers: Answers, cases: Cases, source: list[Tensors], progress: Progress) -> Cases:
    """Return the cases with float64 references; floors are the RMS of what disturbances of 2^-24 do in float64."""
    exact = answers(RunOptions(is_float64=True), map(widened, cases.inputs))
    progress(step="float64")
    spread = Spread(exact)
    for draw in range(DRAWS):
        places = _taking(draw, exact)
        disturbance = Perturbation(draw, UNIT_ROUNDOFF["float32"])
        options = RunOptions(is_float64=True, perturbation=disturbance)
        inputs = (widened(cases.inputs[place]) for place in places)
        spread.add(answers(options, _disturbed(inputs, disturbance)), places)
        progress(step=f"perturbed {draw + 1}/{DRAWS}")
    return cases.with_reference(exact, source, spread.floors(), FLOAT64)


def _taking(draw: int, exact: Sequence[Tensors]) -> list[int]:
    """Return the cases that a draw disturbs; those that take fewer than all of them take turns."""
    return [place for place, answer in enumerate(exact) if (draw + place) % DRAWS < _draws_of(answer)]


def _draws_of(answer: Tensors) -> int:
    """Return how many draws give `ENOUGH` numbers of every float output, `DRAWS` at most."""
    fewest = min((array.size for array in answer.values() if array.dtype.kind == "f"), default=ENOUGH)
    return min(DRAWS, math.ceil(ENOUGH / max(fewest, 1)))


def around_centre(answers: Answers, cases: Cases, source: list[Tensors], progress: Progress) -> Cases:
    """Return the cases with the centre of disturbed float32 runs as reference, their spread scaled down to 2^-24."""
    magnitude = FLOAT32_STEPS * UNIT_ROUNDOFF["float32"]
    runs = []
    for seed in range(PAIRS):
        for disturbance in (Perturbation(seed, magnitude), Perturbation(seed, -magnitude)):
            runs.append(answers(RunOptions(perturbation=disturbance), _disturbed(cases.inputs, disturbance)))
        progress(step=f"perturbed pair {seed + 1}/{PAIRS}")
    centre = [_centre(own, [run[index] for run in runs]) for index, own in enumerate(source)]
    spread = Spread(centre)
    for run in runs:
        spread.add(run)
    return cases.with_reference(centre, source, spread.floors(1 / FLOAT32_STEPS), CENTRE)


class Spread:
    """How far runs lie from their reference in each case, for every float output and those named."""

    def __init__(self, reference: Sequence[Tensors], also: Collection[str] = ()) -> None:
        self._reference = reference
        names = [name for name, array in reference[0].items() if array.dtype.kind == "f" or name in also]
        self._found: dict[str, list[list[Floor]]] = {name: [[] for _ in reference] for name in names}

    def add(self, run: Sequence[Tensors], places: Sequence[int] | None = None) -> None:
        """Take up a run of the cases in ``places``, by default of all."""
        for case, one in zip(range(len(self._reference)) if places is None else places, run, strict=True):
            for name, cases in self._found.items():
                difference = np.abs(_finite_difference(one[name], self._reference[case][name]))
                rms = float(np.sqrt(np.square(difference).mean())) if difference.size else 0.0
                cases[case].append(Floor(rms, float(difference.max(initial=0.0))))

    def floors(self, factor: float = 1.0) -> dict[str, tuple[Floor, ...]]:
        """Return RMS and largest difference by output and case, times ``factor``."""
        return {name: tuple(_together(runs, factor) for runs in cases) for name, cases in self._found.items()}


def _together(runs: Sequence[Floor], factor: float) -> Floor:
    whole = Floor.over(runs, [1] * len(runs))
    return Floor(factor * whole.rms, factor * whole.peak)


def _centre(own: Tensors, runs: Sequence[Tensors]) -> Tensors:
    """Return the mean of the runs in float64; integers, text and what is not finite are the source's own."""
    return {
        name: np.where(np.isfinite(array), np.mean([run[name].astype(np.float64) for run in runs], axis=0), array)
        if array.dtype.kind == "f"
        else array
        for name, array in own.items()
    }


def _disturbed(inputs: Iterable[Tensors], disturbance: Perturbation) -> Iterator[Tensors]:
    """Yield the cases, every float x as x(1+d), in their own dtypes."""
    factors = disturbance.draws()
    for case in inputs:
        yield {
            name: (array * factors(array.shape)).astype(array.dtype) if array.dtype.kind == "f" else array
            for name, array in case.items()
        }


def _moved(inputs: Iterable[Tensors], steps: Mapping[str, float], seed: int) -> Iterator[Tensors]:
    """Yield the cases, each number moved by up to a small part of its step, and as many integers by a whole one."""
    rng = np.random.default_rng(seed)
    for case in inputs:
        yield {name: _moved_array(array, steps.get(name), rng) for name, array in case.items()}


def _moved_array(array: Array, step: float | None, rng: np.random.Generator) -> Array:
    if step is None:
        factor = FLOAT32_STEPS * UNIT_ROUNDOFF["float32"]
        return (
            (array * (1 + rng.uniform(-factor, factor, array.shape))).astype(array.dtype)
            if (array.dtype.kind == "f")
            else array
        )
    drawn = rng.uniform(-MOVED, MOVED, array.shape)
    if array.dtype.kind == "f":
        return np.asarray(array + drawn * step).astype(array.dtype)
    limits = np.iinfo(array.dtype)
    is_moved = rng.random(array.shape) < MOVED / 2
    return np.clip(array.astype(np.int64) + is_moved * np.sign(drawn), limits.min, limits.max).astype(array.dtype)


def _finite_difference(one: Array, other: Array) -> Array:
    is_finite = np.isfinite(one) & np.isfinite(other)
    return one[is_finite].astype(np.float64) - other[is_finite]
