"""The job that finds the first operator at which a file differs, in a child that holds PyTorch."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Cases, Tensors
from isoform.core.divergence import MEANING, Divergence
from isoform.core.numerics import threshold_of
from isoform.core.protocols import RunOptions
from isoform.core.semantics import LIMIT, chosen
from isoform.hub.divergence import cut, repro, traced
from isoform.hub.divergence.answer import named, of_execution
from isoform.hub.divergence.cause import suspected
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.hub_file import HubFile
from isoform.hub.divergence.location import Clues, rows
from isoform.hub.divergence.meaning import Comparison, Difference, following, lying
from isoform.hub.divergence.values import DoesNotRun, Evaluation

_MOST_CASES = 4
_MOST_BEHIND = 32


def explain(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the divergence as JSON, None where there is none; and the places of the cases that were asked.

    Without a divergence of what it means also the outputs that differ all the same ("missed").

    Args:
        arguments: artifact (ONNX or TFLite), reference (another one, or None), cases (path), folder (where the part of
            the file that shows it is left; made if there is one), runtime (whose execution is asked, or None), clues
            (a path for what `location` needs to find it in the file that was read back; None where none was).
        progress: called with each finished step.
    """
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    folder = Path(arguments["folder"])
    file = traced.read(artifact)
    places, stopped = _telling(file, cases)
    if stopped is not None:
        return {"divergence": stopped.to_json(), "places": [], "missed": []}
    some = [cases.inputs[place] for place in places]
    progress(step="float64")
    missed: list[str] = []
    if arguments["reference"] is not None:
        reference = traced.read(Artifact.from_json(arguments["reference"]))
        comparison = Comparison(reference, file, some)
        difference = comparison.first()
        if difference is not None:
            clues = Path(arguments["clues"]) if arguments["clues"] else None
            found = _of_meaning(comparison, difference, folder, clues)
            return {"divergence": found.to_json(), "places": places, "missed": missed}
        missed = comparison.differing
        progress(step="meaning")
    name = arguments["runtime"]
    if name is None:
        return {"divergence": None, "places": places, "missed": missed}
    row = registry.runtime(name)
    registry.require(row)
    load = partial(importlib.import_module(row.module).load, options=RunOptions(device=row.device))
    execution = Execution(HubFile(file, load), some, threshold_of(name, cases.recorded_by).rms)
    inexact = execution.first()
    if inexact is None:
        return {"divergence": None, "places": places, "missed": missed}
    return {"divergence": of_execution(execution, inexact, folder).to_json(), "places": places, "missed": missed}


def _telling(file: traced.Traced, cases: Cases) -> tuple[list[int], Divergence | None]:
    """Return where the cases stand that show most: of each kind the smallest, of those the ones furthest off.

    Where the graph does not run on one, its divergence is that.
    """
    evaluation = Evaluation(file.model, is_float64=True)
    places, errors = chosen(cases), {}
    for place in places:
        try:
            found = evaluation.values(cases.inputs[place], set(file.outputs))
        except DoesNotRun as error:
            return [], _stopped(file, error, cases.inputs[place])
        errors[place] = _off(found, (cases.reference or cases.inputs)[place])
    kept = sorted(places[1:], key=lambda place: -errors[place])[: _MOST_CASES - 1]
    return [places[0], *kept], None


def _off(found: Tensors, known: Tensors) -> float:
    """Return the largest relative error of the outputs."""
    figures = [Figures() for _ in found]
    for each, (name, array) in zip(figures, found.items(), strict=True):
        if name in known and known[name].shape == array.shape and array.dtype.kind == "f":
            each.add(known[name], array, None, None)
    return max((each.error / each.scale for each in figures if each.scale), default=0.0)


def _stopped(file: traced.Traced, error: DoesNotRun, case: Tensors) -> Divergence:
    sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in case.items())
    step = file.makers.get(error.tensor)
    named = str(step) if step else error.tensor
    return Divergence(
        MEANING, named, (named,), "", (), step.attributes if step else {}, step.line if step else "",
        float("inf"), float("inf"), 0.0, LIMIT, f"it does not run on {sizes}: {error.reason}; a size was frozen",
    )  # fmt: skip


def _of_meaning(comparison: Comparison, difference: Difference, folder: Path, clues: Path | None) -> Divergence:
    pair, lost = difference.pair, difference.lost
    last = lost.step if lost is not None else difference.steps[-1]
    given, exact = comparison.given(comparison.cases[0], pair, difference.known)
    shape = comparison.graphs.arrays(comparison.cases[0], [pair.candidate], of_reference=False)[pair.candidate].shape
    expected = lying(pair.arrangement.inverse, exact, shape)
    narrow = {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in given.items()}
    title = f"{last}: the first operator that means something else than its reference."
    folder.mkdir(parents=True)
    file, allowed = comparison.candidate, _allowed(comparison, pair.figures.allowed, exact)
    write = partial(cut.write, file)
    files = repro.write(
        write, file.artifact.format, narrow, pair.candidate, expected, allowed, repro.LIMIT, title, folder
    )
    if clues is not None:
        _clues(comparison, difference, expected, allowed).save(clues)
    counterpart = difference.counterpart
    theirs = lost.readers if lost is not None else comparison.counterparts(pair)[0]
    return Divergence(
        MEANING, str(last), named(difference.steps), str(counterpart) if counterpart else "",
        named(theirs), last.attributes,
        last.line or (counterpart.line if counterpart else ""), pair.figures.ratio, difference.own,
        difference.inherited, LIMIT, suspected(comparison, difference), difference.in_outputs,
        named(difference.others), files,
    )  # fmt: skip


def _clues(comparison: Comparison, difference: Difference, expected: Array, allowed: float) -> Clues:
    pair, lost, moments = difference.pair, difference.lost, comparison.graphs.moments[1]
    first = lost.step if lost is not None else difference.steps[-1]
    names = list(following(comparison.candidate, [first]))
    following_pair = names[names.index(pair.candidate) :] if pair.candidate in names else names
    found = comparison.graphs.arrays(comparison.cases[0], [pair.candidate], of_reference=False)[pair.candidate]
    others = (name for step in difference.others for name in step.outputs)
    return Clues(
        rows(moments, comparison.agreed), rows(moments, following_pair[:_MOST_BEHIND]), rows(moments, others), found,
        expected, allowed, lost.holder if lost is not None else "",
    )  # fmt: skip


def _allowed(comparison: Comparison, allowed: float, exact: np.ndarray) -> float:
    """Return what rounding may do to this one case: the figure over all cases, or a rounding of what comes out."""
    scale = float(np.sqrt(np.mean(np.square(exact.astype(np.float64)))))
    return max(allowed, scale * 2.0**-24)
