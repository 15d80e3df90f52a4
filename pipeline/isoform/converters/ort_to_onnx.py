"""ONNX Runtime's own format to ONNX: the tables of the file read as the graph that they are."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph
from isoform.hub.importers import ort


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the ONNX file ``target``, large weights beside it.

    Raises:
        IsoformError: the file is damaged, or holds what is not read here.
    """
    graph.save(ort.load(source.model), target)
