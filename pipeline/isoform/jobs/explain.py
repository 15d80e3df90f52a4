"""The job that finds the first operator at which a file differs, in a child that holds PyTorch."""

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.divergence import EXECUTION, MEANING, Divergence
from isoform.core.numerics import threshold_of
from isoform.core.protocols import RunOptions
from isoform.core.semantics import LIMIT, chosen
from isoform.hub.divergence import repro, traced
from isoform.hub.divergence.cause import suspected
from isoform.hub.divergence.execution import Execution, Inexact
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.meaning import Comparison, Difference, lying
from isoform.hub.divergence.values import DoesNotRun, Evaluation

_MOST_CASES = 4
_MOST_NAMED = 8


def explain(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the divergence as JSON, None where there is none; and notes of what was not asked.

    Args:
        arguments: artifact (ONNX or TFLite), reference (another one, or None), cases (path), folder (where the part of
            the file that shows it is left; made if there is one), runtime (whose execution is asked, or None).
        progress: called with each finished step.
    """
    artifact, cases = Artifact.from_json(arguments["artifact"]), case_files.load(Path(arguments["cases"]))
    folder = Path(arguments["folder"])
    file = traced.read(artifact)
    some, stopped = _telling(file, cases)
    if stopped is not None:
        return {"divergence": stopped.to_json(), "notes": []}
    progress(step="float64")
    notes: list[str] = []
    if arguments["reference"] is not None:
        reference = traced.read(Artifact.from_json(arguments["reference"]))
        comparison = Comparison(reference, file, some)
        difference = comparison.first()
        if difference is not None:
            return {"divergence": _of_meaning(comparison, difference, folder).to_json(), "notes": notes}
        progress(step="meaning")
    name = arguments["runtime"]
    if name is None:
        return {"divergence": None, "notes": notes}
    row = registry.runtime(name)
    registry.require(row)
    load = partial(importlib.import_module(row.module).load, options=RunOptions(device=row.device))
    execution = Execution(file, some, load, threshold_of(name, cases.recorded_by).rms)
    inexact = execution.first()
    if inexact is None:
        return {"divergence": None, "notes": notes}
    return {"divergence": _of_execution(execution, inexact, folder).to_json(), "notes": notes}


def _telling(file: traced.Traced, cases: Cases) -> tuple[list[Tensors], Divergence | None]:
    """Return the cases that show most: of each kind the smallest, of those the ones that are furthest off.

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
    return [cases.inputs[place] for place in (places[0], *kept)], None


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


def _of_meaning(comparison: Comparison, difference: Difference, folder: Path) -> Divergence:
    pair, lost = difference.pair, difference.lost
    last = lost.step if lost is not None else difference.steps[-1]
    given, exact = comparison.given(comparison.cases[0], pair, difference.known)
    shape = comparison.graphs.arrays(comparison.cases[0], [pair.candidate], of_reference=False)[pair.candidate].shape
    expected = lying(pair.arrangement.inverse, exact, shape)
    narrow = {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in given.items()}
    title = f"{last}: the first operator that means something else than its reference."
    folder.mkdir(parents=True)
    files = repro.write(
        comparison.candidate, narrow, pair.candidate, expected, _allowed(comparison, pair.figures.allowed, exact),
        8.0, title, folder,
    )  # fmt: skip
    counterpart = difference.counterpart
    theirs = lost.readers if lost is not None else comparison.counterparts(pair)[0]
    return Divergence(
        MEANING, str(last), _named(difference.steps), str(counterpart) if counterpart else "",
        _named(theirs), last.attributes,
        last.line or (counterpart.line if counterpart else ""), pair.figures.ratio, difference.own,
        difference.inherited, LIMIT, suspected(comparison, difference), difference.in_outputs,
        _named(difference.others), files,
    )  # fmt: skip


def _allowed(comparison: Comparison, allowed: float, exact: np.ndarray) -> float:
    """Return what rounding may do to this one case: the figure over all cases, or a rounding of what comes out."""
    scale = float(np.sqrt(np.mean(np.square(exact.astype(np.float64)))))
    return max(allowed, scale * 2.0**-24)


def _of_execution(execution: Execution, inexact: Inexact, folder: Path) -> Divergence:
    last = inexact.steps[-1]
    given = execution.rounded(execution.cases[0], inexact.inputs)
    expected = execution.part(inexact).values(given, {inexact.output})[inexact.output]
    folder.mkdir(parents=True)
    title = f"{last}: the first operator that the runtime computes too inexactly."
    files = repro.write(
        execution.traced, given, inexact.output, expected, inexact.allowed, execution.limit, title, folder
    )
    cause = "the runtime computes these operators as one: ask it to optimise less" if inexact.is_fused else (
        "the runtime's kernel approximates" if inexact.own > execution.limit else "it amplifies what its inputs bring"
    )  # fmt: skip
    return Divergence(
        EXECUTION, str(last), _named(inexact.steps), "", (), last.attributes, last.line, inexact.ratio, inexact.own,
        inexact.inherited, execution.limit, cause, files=files,
    )  # fmt: skip


def _named(steps: Sequence[traced.Step]) -> tuple[str, ...]:
    return tuple(str(step) for step in steps[-_MOST_NAMED:])
