"""The tf.function that hub.to_tensorflow gives."""

from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from conformance.forms import Run
from isoform import hub


def prepare(model: onnx.ModelProto, inputs: list[Any]) -> Run:
    """Return ``serve`` as a function of arrays, lists of arrays and None."""
    serve = hub.to_tensorflow(model).serve
    specs = serve.input_signature
    kinds = [value.type for value in model.graph.output]

    def run(given: list[Any]) -> list[Any]:
        tensors = [fed(spec, value) for spec, value in zip(specs, given, strict=True)]
        return [read(kind, value) for kind, value in zip(kinds, serve(*tensors), strict=True)]

    return run


def fed(spec: Any, value: Any) -> Any:
    """Return a test value in the form of a signature: pairs stand for sequences and for optionals."""
    if not isinstance(spec, tuple):
        return tf.constant(value.astype(object) if value.dtype.kind == "U" else value, spec.dtype)
    if isinstance(spec[0], tf.TensorSpec) and spec[0].dtype == tf.bool and spec[0].shape.rank == 0:
        return tf.constant(value is not None), _nothing(spec[1]) if value is None else fed(spec[1], value)
    values, shapes = spec
    width = shapes.shape[1] if shapes.shape[1] is not None else max((array.ndim for array in value), default=0)
    sizes = [[*array.shape, *[-1] * (width - array.ndim)] for array in value]
    flat = np.concatenate([array.ravel() for array in value]) if value else np.zeros(0)
    flat = flat.astype(object if values.dtype == tf.string else values.dtype.as_numpy_dtype)
    return tf.constant(flat, values.dtype), tf.constant(sizes, tf.int64, shape=[len(value), width])


def _nothing(spec: Any) -> Any:
    if isinstance(spec, tuple):
        return tuple(map(_nothing, spec))
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)


def read(kind: onnx.TypeProto, found: Any) -> Any:
    """Return what ``serve`` gave for an output as arrays."""
    if kind.HasField("optional_type"):
        return read(kind.optional_type.elem_type, found[1]) if found[0].numpy() else None
    if not kind.HasField("sequence_type"):
        return np.asarray(found.numpy())
    values, shapes = (tensor.numpy() for tensor in found)
    sizes = [[size for size in row if size >= 0] for row in shapes.tolist()]
    ends = np.cumsum([int(np.prod(size)) for size in sizes])
    return [part.reshape(size) for part, size in zip(np.split(values, ends[:-1]), sizes, strict=True)] if sizes else []
