"""A tf.function, or a ConcreteFunction, as the hub graph."""

from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow import function, signature
from isoform.hub.validity import refuse_invalid


def from_function(source: Any) -> ir.Model:
    """Return the hub graph of ``source``: inputs by its parameters' names, outputs by their keys or in their order.

    Args:
        source: a tf.function with an input_signature, or one of its concrete functions.

    Raises:
        IsoformError: it has no input_signature, or cannot be converted.
    """
    concrete = _concrete(source)
    declared = _signature(concrete)
    graph = function.load(_caller(concrete, declared), declared)
    refuse_invalid(graph)
    signature.name_output_axes(graph, declared.outputs, declared.symbols)
    return graph


def _concrete(source: Any) -> Any:
    if hasattr(source, "structured_input_signature"):
        return source
    if getattr(source, "input_signature", None) is None:
        raise IsoformError(
            "The function does not say what it is called with.",
            "Decorate it with tf.function(input_signature=[...]), or pass function.get_concrete_function(...).",
            kind="signature",
        )
    return source.get_concrete_function()


def _signature(concrete: Any) -> Signature:
    arguments = _arguments(concrete)
    inputs = [signature.input_spec(name, tensor, is_only=len(arguments) == 1) for name, tensor in arguments]
    taken = {spec.name for spec in inputs}
    outputs = []
    for name, tensor in _outputs(concrete):
        free = f"{name}_out" if name in taken else name
        outputs.append(signature.output_spec(free, tensor))
    return Signature(tuple(inputs), tuple(outputs))


def _arguments(concrete: Any) -> list[tuple[str, Any]]:
    """Return name and spec of each tensor that the function is called with, in order."""
    leaves = tf.nest.flatten(concrete.structured_input_signature)
    specs = [leaf for leaf in leaves if isinstance(leaf, tf.TensorSpec)]
    if len(specs) != len([leaf for leaf in leaves if isinstance(leaf, tf.TypeSpec)]):
        raise IsoformError(
            "The function takes something else than dense tensors.", "Give it dense tensors.", kind="signature"
        )
    named: list[tuple[str, Any]] = []
    for index, spec in enumerate(specs):
        name = spec.name or f"input_{index}"
        named.append((name if name not in dict(named) else f"{name}_{index}", spec))
    return named


def _outputs(concrete: Any) -> list[tuple[str, Any]]:
    structured, flat = concrete.structured_outputs, tf.nest.flatten(concrete.structured_outputs)
    tensors = [leaf for leaf in flat if isinstance(leaf, (tf.Tensor, tf.TensorSpec))]
    if isinstance(structured, dict) and len(structured) == len(tensors):
        return sorted(structured.items())
    return [("output" if len(tensors) == 1 else f"output_{index}", tensor) for index, tensor in enumerate(tensors)]


def _caller(concrete: Any, declared: Signature) -> Any:
    args, kwargs = concrete.structured_input_signature

    def call(*tensors: Any) -> list[Any]:
        given = iter(tensors)
        filled = tf.nest.map_structure(
            lambda leaf: next(given) if isinstance(leaf, tf.TensorSpec) else leaf, (args, kwargs)
        )
        answer = concrete(*filled[0], **filled[1])
        leaves = [leaf for leaf in tf.nest.flatten(answer) if isinstance(leaf, tf.Tensor)]
        if len(leaves) != len(declared.outputs):
            raise IsoformError("The function gives something else than tensors.", "Return tensors.", kind="signature")
        return leaves

    return call
