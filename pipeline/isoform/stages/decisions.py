"""Gate 4: what a source decides on samples of its task, and whether an export of a smaller precision does so, too."""

from isoform import registry
from isoform.core import format as formats
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.decisions import judge
from isoform.core.parity import FAIL, NOT_CHECKED, Gate
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import answers

TASK_NAME = "task.npz"
"""Samples with the source's decisions, beside an artifact of a smaller precision."""


def record(source: Artifact, samples: Cases, pool: Pool) -> Cases:
    """Return ``samples`` with what the source answers to them, as it normally runs.

    Raises:
        IsoformError: the source does not run on one of them.
    """
    row = registry.runtime(formats.lookup(source.format).runtime)
    return Cases(samples.kinds, samples.inputs, source=_answers(source, samples, row, pool), recorded_by=row.name)


def evaluate(artifact: Artifact, known: Cases | None, row: registry.Runtime, pool: Pool) -> Gate:
    """Return gate 4 on one runtime.

    Args:
        known: samples with the source's answers; None where none were recorded.
    """
    if known is None:
        return Gate(NOT_CHECKED, ("not checked: there are no samples with the source's decisions",))
    try:
        return judge(artifact.signature, known, _answers(artifact, known, row, pool))
    except IsoformError as error:
        return Gate(FAIL, (f"it does not run on the samples: {error.what}",))


def _answers(artifact: Artifact, samples: Cases, row: registry.Runtime, pool: Pool) -> tuple[Tensors, ...]:
    found, said = answers.run(artifact, samples, row, pool)
    for place, why in said["failures"].items():
        raise IsoformError(f"{row.name} does not run on batch {place} of the samples: {why}", "See its log.")
    return found
