"""A Keras network as the hub graph: initialisers are called by the paths of its variables."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import onnx_ir as ir
import tensorflow as tf

from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import keras_source
from isoform.hub.importers.tensorflow import function, signature
from isoform.hub.importers.tensorflow.keras_layers import traceable
from isoform.hub.validity import refuse_invalid


def load(model: Any, signature: Signature) -> ir.Model:
    """Return the hub graph of ``model``, called as ``signature`` says.

    Raises:
        IsoformError: the network cannot be converted, or comes out with other inputs, outputs or axes.
    """
    graph = function.load(caller(model, signature), signature, weight_names(model))
    refuse_invalid(graph)
    return graph


def caller(model: Any, signature: Signature) -> Any:
    """Return a function of tensors in the order of the signature, for what ``model`` computes at inference."""

    def call(*tensors: Any) -> list[Any]:
        arguments = keras_source.call_arguments(model, signature, tensors)
        with traceable():
            outputs = keras_source.flat_outputs(signature, model(arguments, training=False))
        return [tf.convert_to_tensor(output) for output in outputs]

    return call


def weight_names(model: Any) -> dict[int, str]:
    """Return the path of every variable of ``model``, by the id of its handle."""
    return {id(variable.value.handle): variable.path for variable in model.variables}


def from_keras(model: Any, inputs: Sequence[str | TensorSpec] | None = None) -> ir.Model:
    """Return the hub graph of ``model``, its signature derived from the network itself.

    Args:
        inputs: the inputs in the order of the call, for a network of one's own class that says nothing of them.

    Raises:
        IsoformError: the inputs are not known, or the network cannot be converted.
    """
    declared = tuple(TensorSpec.parse(spec) if isinstance(spec, str) else spec for spec in inputs or _inputs(model))
    outputs = _outputs(model, declared)
    graph = load(model, Signature(declared, outputs))
    signature.name_output_axes(graph, outputs, Signature(declared, ()).symbols)
    return graph


def _inputs(model: Any) -> tuple[TensorSpec, ...]:
    tensors = getattr(model, "inputs", None)
    if tensors:
        named = [(tensor.name, tf.TensorSpec(tensor.shape, tensor.dtype)) for tensor in tensors]
    else:
        named = _built(model)
    return tuple(signature.input_spec(name, spec, is_only=len(named) == 1) for name, spec in named)


def _built(model: Any) -> list[tuple[str, Any]]:
    """Return the inputs that a network of its own class was built with, the batch left open."""
    shapes = getattr(model, "_build_shapes_dict", None) or {}  # Keras offers no public form of it
    if len(shapes) != 1 or not all(isinstance(shape, (tuple, list)) for shape in shapes.values()):
        raise IsoformError(
            f"'{model.name}' does not say what it is called with.",
            "Name its inputs: from_keras(model, inputs=['x:float32[batch,16]']).",
            kind="signature",
        )
    (shape,) = shapes.values()
    return [("input", tf.TensorSpec([None, *shape[1:]], model.input_dtype))]


def _outputs(model: Any, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    tensors = getattr(model, "outputs", None)
    if tensors:
        names = _free(keras_source.output_names(model), {spec.name for spec in inputs})
        found = tensors
    else:
        answer = _answer(model, inputs)
        found = keras.tree.flatten(answer)
        keys = list(answer) if isinstance(answer, dict) else []
        names = keys if len(keys) == len(found) else [f"output_{index}" for index in range(len(found))]
        names = _free(names if len(found) > 1 or keys else ["output"], {spec.name for spec in inputs})
    specs = [
        signature.output_spec(name, tf.TensorSpec(tensor.shape, tensor.dtype))
        for name, tensor in zip(names, found, strict=True)
    ]
    return tuple(_batched(spec, inputs) for spec in specs)


def _answer(model: Any, inputs: tuple[TensorSpec, ...]) -> Any:
    """Return what ``model`` gives, as TensorFlow traces it: code that asks for sizes has none in Keras' own way."""

    @tf.function(input_signature=[tf.TensorSpec([_size(dim) for dim in spec.shape], spec.dtype) for spec in inputs])
    def call(*tensors: Any) -> Any:
        with traceable():
            return model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)

    return call.get_concrete_function().structured_outputs


def _batched(spec: TensorSpec, inputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """Call the open first axis the batch, which it is by Keras' convention, if the inputs have one."""
    is_open = bool(spec.shape) and isinstance(spec.shape[0], str)
    if is_open and all(each.shape and each.shape[0] == "batch" for each in inputs):
        return replace(spec, shape=("batch", *spec.shape[1:]))
    return spec


def _size(dim: int | str) -> int | None:
    return dim if isinstance(dim, int) else None


def _free(names: list[str], taken: set[str]) -> list[str]:
    """Return ``names`` with those that an input or an earlier output has made different."""
    found: list[str] = []
    for name in names:
        plain = name if name not in taken and name not in found else f"{name}_out"
        while plain in taken or plain in found:
            plain += "_"
        found.append(plain)
    return found
