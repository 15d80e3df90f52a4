"""The one way in: a Python function of tensors is traced, converted without its weights, and given them back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from isoform.core.signature import Signature
from isoform.hub.importers.tensorflow import conversion, finish, skeleton
from isoform.hub.importers.tensorflow.stored import Stored
from isoform.hub.importers.tensorflow.tracing import INPUT, trace


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
