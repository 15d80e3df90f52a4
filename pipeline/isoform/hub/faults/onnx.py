"""Faults in an ONNX file: its graph is the hub graph."""

from pathlib import Path

import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.hub import graph
from isoform.hub.faults.graph import FAULTS

__all__ = ["FAULTS", "opened", "save"]


def opened(artifact: Artifact) -> ir.Model:
    """Return the graph of an artifact."""
    return graph.load(artifact.model)


def save(model: ir.Model, target: Path) -> None:
    """Write the graph as a file."""
    graph.save(model, target)
