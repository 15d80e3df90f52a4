"""The job that writes a float32 file again in half precision or bfloat16; a file of hub/precision/ a format."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.registry import version_of


def cast(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the file, and return what stays in float32 and why, and the versions of what wrote it.

    Args:
        arguments: source (an Artifact as JSON), target (path to write), precision (a name of core/precision.py).
        progress: unused; this is one step.
    """
    artifact = Artifact.from_json(arguments["source"])
    module = importlib.import_module(f"isoform.hub.precision.{artifact.format}")
    kept, notes = module.write(artifact, Path(arguments["target"]), arguments["precision"])
    versions = {name: version_of(name) for name in module.PACKAGES}
    return {"versions": versions, "kept": kept, "notes": notes}
