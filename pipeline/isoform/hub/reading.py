"""The file of an artifact as the hub graph, where its format is a graph: no framework traces anything."""

import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.errors import IsoformError
from isoform.hub import graph


def read(artifact: Artifact) -> ir.Model:
    """Return the graph of an artifact, its weights still mapped from the file.

    Raises:
        IsoformError: the file cannot be read, or its format is no graph.
    """
    if artifact.format == "onnx":
        return graph.load(artifact.model)
    if artifact.format == "ort":
        from isoform.hub.importers import ort

        return ort.load(artifact.model)
    if artifact.format == "tflite":
        from isoform.hub.importers import tflite  # only where LiteRT's schema is there

        return tflite.load(artifact.model, artifact.entry)
    raise IsoformError(f"A {artifact.format} file is not read as a graph.", "Take its ONNX file.", kind="no-operators")
