"""A tf.function and its variables as a SavedModel folder, under exact names.

The folder has the signature ``serving_default`` and, for a model with a vocabulary, ``serve_text``. Each takes and
returns tensors by name. TensorFlow sorts outputs by name; their order is that of the signature in ``artifact.json``,
and for a lone folder what its function ``output_names()`` returns. Not aware of where the function comes from.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import checkpoint
from isoform.hub.checkpoint import Contents
from isoform.hub.keras_source import tensor_spec
from isoform.hub.text import Tokenizer

SIGNATURE, TEXT_SIGNATURE = "serving_default", "serve_text"


class Served(tf.Module):
    """What is written: the variables by name, the functions, the order of the outputs."""

    def __init__(self, weights: Mapping[str, tf.Variable], signature: Signature) -> None:
        super().__init__(name="model")
        self.weights = dict(weights)
        names = [spec.name for spec in signature.outputs]
        self.output_names = tf.function(lambda: tf.constant(names), input_signature=[], autograph=False)
        self.tokenizer: Tokenizer | None = None


def save(
    call: Callable[..., Sequence[Any]],
    weights: Mapping[str, tf.Variable],
    signature: Signature,
    target: Path,
    tokenizer: Path | None,
    contents: Mapping[str, Contents] | None = None,
) -> None:
    """Write the folder ``target``; ``call`` takes tensors and returns tensors, both in signature order.

    Args:
        contents: what the weights hold that are only placeholders.
    """
    module = Served(weights, signature)
    names = [spec.name for spec in signature.outputs]

    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(zip(names, map(tf.identity, call(*tensors)), strict=True))

    specs = [tensor_spec(spec) for spec in signature.inputs]
    function = tf.function(serve, input_signature=specs, autograph=False)
    signatures = {SIGNATURE: function.get_concrete_function()}
    if tokenizer is not None:
        module.tokenizer = Tokenizer(tokenizer)
        signatures[TEXT_SIGNATURE] = _text_function(module.tokenizer, serve, signature)
    tf.saved_model.save(module, str(target), signatures)
    if contents:
        checkpoint.fill(target / "variables" / "variables", "weights", contents)


def _text_function(tokenizer: Tokenizer, serve: Callable[..., dict[str, Any]], signature: Signature) -> Any:
    if len(signature.inputs) != 1 or len(signature.inputs[0].shape) != 2:
        raise IsoformError(
            "A model that reads text has one input of token ids, [batch, length]; "
            f"this one has {', '.join(map(str, signature.inputs))}.",
            "Leave out the [tokenizer] section of the manifest.",
            kind="tokenizer",
        )
    dtype = signature.inputs[0].dtype

    def serve_text(text: Any) -> dict[str, Any]:
        return serve(tf.cast(tokenizer(text), dtype))

    return tf.function(
        serve_text, input_signature=[tf.TensorSpec([None], tf.string, "text")], autograph=False
    ).get_concrete_function()
