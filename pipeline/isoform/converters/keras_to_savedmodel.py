"""Keras to SavedModel: TensorFlow's own writer, on an inference-only function with the names of the signature.

Keras' variables are written as they are. Not aware of ONNX.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.errors import IsoformError
from isoform.hub import keras_source, savedmodel


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the folder ``target``.

    Raises:
        IsoformError: the network does not take or give what the signature says.
    """
    model = keras_source.load(source)
    inner = source.signature

    def call(*tensors: Any) -> Sequence[Any]:
        arguments = keras_source.call_arguments(model, inner, tensors)
        return keras_source.flat_outputs(inner, model(arguments, training=False))

    weights = {variable.path: variable.value for variable in model.weights}
    try:
        savedmodel.save(call, weights, inner, target, source.tokenizer)
    except AssertionError as error:  # TensorFlow's word for a resource that the network hides from Keras
        first = str(error).splitlines()[0]
        raise IsoformError(
            f"The network reads a variable or table that is not among its weights ({first[:200]}).",
            "Make it a weight or an attribute of a layer.",
            kind="untracked",
        ) from error
