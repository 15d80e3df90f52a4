"""ONNX to TFLite, written directly as a flatbuffer: no TensorFlow, no second copy of the weights."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph
from isoform.hub.emitters import tflite


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the file ``target``, weights streamed into it.

    Raises:
        UnsupportedOperator: nodes that TFLite has no form for.
        IsoformError: an operator in a form that TFLite cannot have.
    """
    tflite.build(graph.load(source.model)).save(target)
