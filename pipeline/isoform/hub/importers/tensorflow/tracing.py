"""Any function of tensors as a ConcreteFunction whose inputs are named by their position. Not aware of ONNX."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from isoform.core.signature import Signature
from isoform.errors import IsoformError

INPUT = "isoform_input_"


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
