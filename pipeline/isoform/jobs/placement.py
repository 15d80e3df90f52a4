"""The job that asks a runtime where the operators of a file run; in a child of its own, as profiling disturbs times."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.protocols import PlacementModule, RunOptions
from isoform.jobs.measure import inputs_of


def place(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the core.placement.Placement of one query as JSON.

    Args:
        arguments: runtime (one that tells placement), artifact (an Artifact as JSON), inputs (path of an npz), threads.
        progress: unused; this is one step.

    Raises:
        IsoformError: the file does not open, or of this one it cannot be told.
    """
    row = registry.runtime(arguments["runtime"])
    registry.require(row)
    artifact = Artifact.from_json(arguments["artifact"])
    module: PlacementModule = importlib.import_module(row.module)
    options = RunOptions(device=row.device, threads=arguments["threads"])
    return module.placement(artifact, options, inputs_of(Path(arguments["inputs"]), artifact)).to_json()
