"""Faults in a file in ORT format: it is read as a hub graph, and ONNX Runtime writes it again."""

import tempfile
from pathlib import Path

import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.hub import graph, ort_format
from isoform.hub.faults.graph import FAULTS
from isoform.hub.importers import ort

__all__ = ["FAULTS", "opened", "save"]


def opened(artifact: Artifact) -> ir.Model:
    """Return the graph of an artifact."""
    return ort.load(artifact.model)


def save(model: ir.Model, target: Path) -> None:
    """Write the graph as a file."""
    with tempfile.TemporaryDirectory(prefix="isoform-fault.") as scratch:
        path = Path(scratch) / "model.onnx"
        graph.save(model, path)
        ort_format.write(path, target)
