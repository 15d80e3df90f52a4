"""The one way in: a Python function of tensors is traced, converted without its weights, and given them back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow import conversion, finish, skeleton
from isoform.hub.importers.tensorflow.stored import Stored

INPUT = "isoform_input_"


def load(
    call: Callable[..., Sequence[Any]],
    signature: Signature,
    names: Mapping[int, str] | None = None,
    references: Mapping[str, Any] | None = None,
    stored: Mapping[int, Stored] | None = None,
) -> ir.Model:
    """Return the hub graph of ``call``, which takes and returns tensors in the order of ``signature``.

    Args:
        names: what a variable is called, by the id of its handle; its own name where there is none.
        references: values of variables that are nodes of the graph, by the names of these.
        stored: the values of variables that hold none, by the id of the handle.

    Raises:
        IsoformError: the function cannot be traced or converted, or comes out with other inputs, outputs or axes.
    """
    found = skeleton.of_function(trace(call, signature), names or {}, references or {}, stored or {})
    model = conversion.to_onnx(found)
    finish.finish(model, found, signature, [f"{INPUT}{index}:0" for index in range(len(signature.inputs))])
    return model


def trace(call: Callable[..., Sequence[Any]], signature: Signature) -> Any:
    """Return the ConcreteFunction of ``call``, its inputs named by their position.

    Raises:
        IsoformError: TensorFlow cannot trace it.
    """

    def flat(*tensors: Any) -> list[Any]:
        return [tf.identity(tensor) for tensor in call(*tensors)]

    specs = [
        tf.TensorSpec([dim if isinstance(dim, int) else None for dim in spec.shape], spec.dtype, f"{INPUT}{index}")
        for index, spec in enumerate(signature.inputs)
    ]
    function = tf.function(flat, input_signature=specs, autograph=False)
    try:
        return function.get_concrete_function()
    except IsoformError:
        raise
    except Exception as error:  # whatever the function's own code raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise IsoformError(
            f"TensorFlow cannot trace the function: {type(error).__name__}: {' '.join(lines[:2])[:400]}",
            "Make it traceable: tf.function(...).get_concrete_function() has to work with these inputs.",
            kind="trace",
        ) from error
