"""The job behind one edge of a route: load the converter by name and let it write."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConverterModule, ConvertOptions
from isoform.errors import IsoformError


def convert(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the versions of the packages that wrote the file.

    Args:
        arguments: converter, source (an Artifact as JSON), target (path), options.
        progress: unused; one edge is one step.
    """
    row = registry.converter(arguments["converter"])
    registry.require(row)
    module: ConverterModule = importlib.import_module(row.module)
    target = Path(arguments["target"])
    module.convert(Artifact.from_json(arguments["source"]), target, ConvertOptions(**arguments["options"]))
    if not target.exists():
        raise IsoformError(f"{row.name} ended without writing {target.name}.", "Report this.", kind="no-output")
    return {"versions": {name: registry.version_of(name) for name in row.needs}}
