"""Whether samples of several requests may be computed together: seen from recorded cases, not from a name."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core import precision as precisions
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Floor, Tensors
from isoform.core.numerics import judge, threshold_of
from isoform.core.protocols import RunOptions, Session
from isoform.jobs.infer import Progress, opened

_MOST_CASES = 4


def look(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return ``{"why_not": str}``: why requests to an artifact must not be computed together, "" where they may.

    Args:
        arguments: runtime, artifact, cases (path).
    """
    row, artifact = opened(arguments)
    session = importlib.import_module(row.module).load(artifact, RunOptions(device=row.device))
    try:
        return {"why_not": why_not(session, artifact, row, Path(arguments["cases"]))}
    finally:
        session.close()


def why_not(session: Session, artifact: Artifact, row: registry.Runtime, cases: Path) -> str:
    """Return why requests must not be computed together, "" where they may.

    That a dimension is called a batch proves nothing: an axis that statistics or a scale of integers are taken over is
    no batch. So the samples of recorded cases are computed apart, and have to answer as they do together.
    """
    if not artifact.signature.has_batch_axis:
        return "its inputs and outputs have no dynamic batch axis in common"
    known = case_files.load(cases)
    several = [index for index, inputs in enumerate(known.inputs) if _samples(inputs) > 1][:_MOST_CASES]
    if not several or known.floors is None:
        return "no recorded case tells whether samples depend on each other"
    chosen = known.only(several)
    together = [session.run(inputs) for inputs in chosen.inputs]
    apart = [_apart(session, inputs) for inputs in chosen.inputs]
    differing = [name for name in together[0] if not _agree(name, chosen, together, apart, artifact.precision, row)]
    return f"'{differing[0]}' of a sample depends on the samples beside it" if differing else ""


def _samples(inputs: Tensors) -> int:
    return int(next(iter(inputs.values())).shape[0])


def _apart(session: Session, inputs: Tensors) -> Tensors:
    rows = [
        session.run({name: array[row : row + 1] for name, array in inputs.items()}) for row in range(_samples(inputs))
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _agree(
    name: str, cases: Cases, together: list[dict[str, Any]], apart: list[Tensors], precision: str, row: registry.Runtime
) -> bool:
    """Tell whether one output is the same but for rounding, as gate 3 judges it; exactly where it is no float."""
    one, other = [run[name] for run in together], [run[name] for run in apart]
    if any(mine.shape != its.shape for mine, its in zip(one, other, strict=True)):
        return False
    assert cases.floors is not None
    if one[0].dtype.kind != "f" or name not in cases.floors:
        return all(np.array_equal(mine, its) for mine, its in zip(one, other, strict=True))
    floor = Floor.over(cases.floors[name], [array.size for array in one])
    asked = precisions.lookup(precision)
    roundoff = "float32" if asked.is_integer else asked.roundoff  # steps of integers are no rounding between batches
    found = judge(name, one, one, other, floor, threshold_of(row.name), roundoff)
    return found.verdict == "PASS"
