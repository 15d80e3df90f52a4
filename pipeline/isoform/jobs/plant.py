"""The job that writes a copy of a model with one fault in it, or with none; a file of hub/faults/ a format."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.artifact import Artifact


def names(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the names of all faults that there are for a ``format``."""
    return {"names": list(_faults(arguments["format"]).FAULTS)}


def plant(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the copy, and return what was done to it; None where the model has nothing for this fault.

    Args:
        arguments: artifact, target (path to write), fault (a name, or None for the control), seed.
        progress: unused; this is one step.
    """
    artifact, fault = Artifact.from_json(arguments["artifact"]), arguments["fault"]
    faults = _faults(artifact.format)
    model = faults.opened(artifact)
    told = "nothing" if fault is None else faults.FAULTS[fault](model, np.random.default_rng(arguments["seed"]))
    if told is not None:
        faults.save(model, Path(arguments["target"]))
    return {"told": told}


def _faults(format_name: str) -> Any:
    return importlib.import_module(f"isoform.hub.faults.{format_name}")
