"""What a model answers to cases on a runtime, in a child; arrays cross as files."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.isolation import Pool


def run(
    artifact: Artifact, cases: Cases, row: registry.Runtime, pool: Pool, options: Mapping[str, Any] | None = None
) -> tuple[tuple[Tensors, ...], Mapping[str, Any]]:
    """Return the outputs of the cases that ran, and what else the job says: signature, failures by case, versions.

    Args:
        options: of `RunOptions`, other than the usual ones.

    Raises:
        MissingDependency: the runtime's package is not there.
        IsoformError: the model does not open, or runs on no case.
    """
    registry.require(row)
    root = artifact.architecture.root if artifact.architecture else None
    with tempfile.TemporaryDirectory(prefix="isoform-answers.") as scratch:
        given, answered = Path(scratch) / "cases.npz", Path(scratch) / "outputs.npz"
        case_files.save(Cases(cases.kinds, cases.inputs), given)
        answer = pool.call(
            "isoform.jobs.infer:run",
            {
                "runtime": row.name,
                "artifact": artifact.to_json(),
                "cases": str(given),
                "outputs": str(answered),
                "options": dict(options or {}),
            },
            needs=row.extra,
            root=root,
        )
        return case_files.load(answered).inputs, answer.value
