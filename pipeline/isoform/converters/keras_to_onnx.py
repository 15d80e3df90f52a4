"""Keras to ONNX: the traced network is converted without its weights, which are streamed to disk as they lie in memory.

So 800 MB of weights cost the converter nothing. What is written counts once ONNX' checker and strict shape inference
accept it and ONNX Runtime runs it. Not aware of how the network came to be.
"""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph as hub_graph
from isoform.hub import keras_source
from isoform.hub.importers.tensorflow import keras, proof


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the ONNX file ``target``, with ``target.data`` beside it when the weights are large.

    Raises:
        IsoformError: an operator has no ONNX form, an input, an output or a dynamic axis is lost, or ONNX' checker or
            ONNX Runtime refuse the graph.
    """
    model = keras_source.load(source)
    hub_graph.save(keras.load(model, source.signature), target)
    proof.prove(target, source.signature, keras.caller(model, source.signature))
