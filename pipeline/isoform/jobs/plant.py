"""The job that writes a copy of an ONNX or TFLite file with one fault in it, or with none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isoform import hub
from isoform.core.artifact import Artifact
from isoform.hub import graph
from isoform.hub.faults import FAULTS


def names(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the names of all faults there are."""
    return {"names": list(FAULTS)}


def plant(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the copy, and return what was done to it; None where the graph has nothing for this fault.

    Args:
        arguments: artifact, target (path to write), fault (a name, or None for the control), seed.
        progress: unused; this is one step.
    """
    artifact, target = Artifact.from_json(arguments["artifact"]), Path(arguments["target"])
    is_onnx = artifact.format == "onnx"
    model = graph.load(artifact.model) if is_onnx else hub.from_tflite(artifact.model, artifact.entry)
    told: str | None = "nothing"
    if arguments["fault"] is not None:
        told = FAULTS[arguments["fault"]](model, np.random.default_rng(arguments["seed"]))
    if told is None:
        return {"told": None}
    if is_onnx:
        graph.save(model, target)
    else:
        target.write_bytes(hub.to_tflite(model))
    return {"told": told}
