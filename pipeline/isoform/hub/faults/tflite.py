"""Faults in a TFLite file: it is read as a hub graph, and emitted again as isoform emits every TFLite file."""

from pathlib import Path

import onnx_ir as ir

from isoform import hub
from isoform.core.artifact import Artifact
from isoform.hub.faults.graph import FAULTS

__all__ = ["FAULTS", "opened", "save"]


def opened(artifact: Artifact) -> ir.Model:
    """Return the graph of an artifact."""
    return hub.from_tflite(artifact.model, artifact.entry)


def save(model: ir.Model, target: Path) -> None:
    """Write the graph as a file."""
    target.write_bytes(hub.to_tflite(model))
