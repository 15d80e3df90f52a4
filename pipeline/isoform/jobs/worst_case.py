"""The job that looks for inputs at which a runtime is as far off as can be, in a child that holds PyTorch.

A search by mutation: from the worst input so far and from recorded ones others are made, and the worst of all stays.
What is maximised is R of gate 3 for that one input, held against the file's own graph in float64. It finds nothing that
was not there: a search that ends says what it found, never that there is nothing worse.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Cases, Floor, Tensors
from isoform.core.numerics import UNIT_ROUNDOFF, small_sample_factor, threshold_of
from isoform.core.protocols import Perturbation, RunOptions, Session
from isoform.core.signature import Signature
from isoform.hub.divergence import traced
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.values import Evaluation

_SEED = 0
_TOLD_EVERY = 50
_SHARE_OF_WORST = 0.6
_FARTHEST = 8.0
"""How many times the largest magnitude of its kind an input may take: beyond is none that the model was made for."""
Mutation = Callable[[Array, np.random.Generator], Array]


def search(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the worst input as a case, and return its ratio.

    Args:
        arguments: artifact (ONNX or TFLite), cases (path), runtime, count (inputs to run), target (path to write).
        progress: called with the number of inputs that were run.
    """
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    session = importlib.import_module(row.module).load(artifact, RunOptions(device=row.device))
    try:
        hunt = _Search(traced.read(artifact), artifact.signature, cases, session)
        begin, count = hunt.ratio, int(arguments["count"])
        for place in range(count):
            hunt.step()
            if (place + 1) % _TOLD_EVERY == 0:
                progress(inputs=place + 1, of=count)
        kept = hunt.kept().recorded(cases.recorded_by)
    finally:
        session.close()
    case_files.save(kept, Path(arguments["target"]))
    assert kept.reference is not None
    elements = sum(array.size for array in kept.reference[0].values())
    limit = threshold_of(row.name, cases.recorded_by).rms * small_sample_factor(elements)
    return {"begin": begin, "ratio": hunt.ratio, "limit": limit, "tried": count + len(cases)}


class _Search:
    def __init__(self, file: traced.Traced, signature: Signature, cases: Cases, session: Session) -> None:
        self._file, self._signature, self._session = file, signature, session
        roundoff = Perturbation(_SEED, UNIT_ROUNDOFF["float32"])
        self._exact = Evaluation(file.model, is_float64=True)
        self._single = Evaluation(file.model, is_float64=False)
        self._disturbed = Evaluation(file.model, is_float64=True, perturbation=roundoff)
        self._rng = np.random.default_rng(_SEED)
        self._bounds = {
            name: max(float(np.abs(case[name]).max(initial=0.0)) for case in cases.inputs) for name in cases.inputs[0]
        }
        self._recorded = cases.inputs
        ratios = [self._ratio(case) for case in cases.inputs]
        place = int(np.argmax(ratios))
        self.worst: Tensors = cases.inputs[place]
        self.ratio = ratios[place]

    def step(self) -> None:
        """Try a change of the worst input so far, or of a recorded one: what is worst may lead nowhere."""
        is_from_worst = self._rng.random() < _SHARE_OF_WORST
        begin = self.worst if is_from_worst else self._recorded[int(self._rng.integers(len(self._recorded)))]
        other = self._mutated(begin)
        ratio = self._ratio(other)
        if ratio > self.ratio:
            self.worst, self.ratio = other, ratio

    def judged(self, case: Tensors) -> tuple[dict[str, Array], dict[str, Figures], dict[str, Array], dict[str, Floor]]:
        """Return the float64 outputs of one input, their figures, the float32 outputs and what rounding does."""
        names = set(self._file.outputs)
        exact, single, disturbed = (each.values(case, names) for each in (self._exact, self._single, self._disturbed))
        found = self._session.run(case)
        figures, floors = {}, {}
        for name, array in exact.items():
            if array.dtype.kind == "f" and found[name].shape == array.shape:
                figures[name] = Figures()
                figures[name].add(array, found[name], single[name], disturbed[name])
                difference = np.nan_to_num(np.abs(disturbed[name] - array))
                floors[name] = Floor(float(np.sqrt(np.mean(np.square(difference)))), float(difference.max(initial=0.0)))
        return exact, figures, single, floors

    def kept(self) -> Cases:
        """Return the worst input as a case with its references."""
        exact, _, single, floors = self.judged(self.worst)
        order = [spec.name for spec in self._signature.outputs]
        bare = Cases(("given",), ({name: np.asarray(array) for name, array in self.worst.items()},))
        return bare.with_reference(
            [{name: exact[name] for name in order}], [{name: single[name] for name in order}],
            {name: (floor,) for name, floor in floors.items()},
        )  # fmt: skip

    def _ratio(self, case: Tensors) -> float:
        """Return R; 0 where the graph is not finite, which is gate 0's."""
        exact, figures, _, _ = self.judged(case)
        if not all(np.isfinite(array).all() for array in exact.values() if array.dtype.kind == "f"):
            return 0.0
        return max((each.ratio for each in figures.values()), default=0.0)

    def _mutated(self, case: Tensors) -> dict[str, Array]:
        found = {name: np.array(array) for name, array in case.items()}
        name = str(self._rng.choice(sorted(found)))
        found[name] = self._changed(name, found[name])
        return found

    def _changed(self, name: str, array: Array) -> Array:
        if array.dtype.kind != "f":
            return self._redrawn(name, array)
        change = _MUTATIONS[int(self._rng.integers(len(_MUTATIONS)))]
        most = _FARTHEST * max(self._bounds[name], 1.0)
        changed: Array = np.clip(change(array.astype(np.float64), self._rng), -most, most).astype(array.dtype)
        return changed

    def _redrawn(self, name: str, array: Array) -> Array:
        """Return integers of which some are others that the cases hold: their range is the one that is declared."""
        is_redrawn = self._rng.random(array.shape) < self._rng.choice([0.02, 0.2, 1.0])
        drawn = self._rng.integers(0, int(self._bounds[name]) + 1, array.shape)
        return np.where(is_redrawn, drawn, array).astype(array.dtype)


def _noise(array: Array, rng: np.random.Generator) -> Array:
    scale = float(np.std(array)) or 1.0
    return array + rng.normal(size=array.shape) * scale * rng.choice([0.01, 0.1, 1.0])


def _scaled(array: Array, rng: np.random.Generator) -> Array:
    return array * rng.choice([0.1, 0.5, 2.0, 4.0])


def _shifted(array: Array, rng: np.random.Generator) -> Array:
    return array + rng.normal() * (float(np.abs(array).max(initial=0.0)) or 1.0)


def _sparse(array: Array, rng: np.random.Generator) -> Array:
    return array * (rng.random(array.shape) < rng.choice([0.1, 0.5, 0.9]))


def _flipped(array: Array, rng: np.random.Generator) -> Array:
    return array * np.where(rng.random(array.shape) < rng.choice([0.05, 0.5]), -1.0, 1.0)


def _one_axis(array: Array, rng: np.random.Generator) -> Array:
    """Scale one place of the last axis, or of the second, as a channel that is much stronger than the others."""
    if array.ndim < 2:
        return _scaled(array, rng)
    axis = int(rng.choice([1, array.ndim - 1]))
    factors = np.ones(array.shape[axis])
    factors[int(rng.integers(len(factors)))] = rng.choice([0.0, 10.0, -10.0])
    return array * factors.reshape([-1 if place == axis else 1 for place in range(array.ndim)])


_MUTATIONS: tuple[Mutation, ...] = (_noise, _scaled, _shifted, _sparse, _flipped, _one_axis)
