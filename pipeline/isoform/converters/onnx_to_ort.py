"""ONNX to ONNX Runtime's own format, by ONNX Runtime: the graph as it stands, its constants folded."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import ort_format


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the file ``target``.

    Raises:
        IsoformError: beyond 2 GiB, or ONNX Runtime refuses the graph.
    """
    ort_format.write(source.model, target)
