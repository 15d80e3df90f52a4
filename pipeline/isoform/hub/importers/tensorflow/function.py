"""The one way in: a Python function of tensors is traced, converted without its weights, and given them back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.core.signature import Signature
from isoform.hub.importers.tensorflow import conversion, finish, skeleton

INPUT = "isoform_input_"


def load(call: Callable[..., Sequence[Any]], signature: Signature, names: Mapping[int, str] | None = None) -> ir.Model:
    """Return the hub graph of ``call``, which takes and returns tensors in the order of ``signature``.

    Args:
        names: what a variable is called, by the id of its handle; its own name where there is none.

    Raises:
        IsoformError: the function cannot be traced or converted, or comes out with other inputs, outputs or axes.
    """
    found = skeleton.of_function(trace(call, signature), names or {})
    model = conversion.to_onnx(found)
    finish.finish(model, found, signature, [f"{INPUT}{index}:0" for index in range(len(signature.inputs))])
    return model


def trace(call: Callable[..., Sequence[Any]], signature: Signature) -> Any:
    """Return the ConcreteFunction of ``call``, its inputs named by their position."""

    def flat(*tensors: Any) -> list[Any]:
        return [tf.identity(tensor) for tensor in call(*tensors)]

    specs = [
        tf.TensorSpec([dim if isinstance(dim, int) else None for dim in spec.shape], spec.dtype, f"{INPUT}{index}")
        for index, spec in enumerate(signature.inputs)
    ]
    return tf.function(flat, input_signature=specs, autograph=False).get_concrete_function()
