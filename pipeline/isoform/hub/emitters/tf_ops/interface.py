"""What a signature shows of a sequence or an optional, since neither is a tensor.

A sequence is a pair: the elements' values one after the other, flat, and their shapes, int64 [element, axis]; where not
even their ranks are declared, shapes are filled up with -1 behind their last axis. An optional is a pair as well:
whether it is there, and the value, of which nothing is read where it is not there.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.emitters.tf_ops.dtypes import dtype_of
from isoform.hub.emitters.tf_ops.structure import Optional, TensorSequence, empty


def spec_of(value: ir.Value) -> Any:
    """Return the tf.TensorSpec of a graph's input, or the pair of them.

    Raises:
        IsoformError: a tensor of unknown rank or dtype.
    """
    return _spec(value.type, value.shape, str(value.name))


def _spec(kind: Any, shape: Any, name: str) -> Any:
    if isinstance(kind, ir.OptionalType):
        return tf.TensorSpec([], tf.bool, f"{name}_is_there"), _spec(kind.elem_type, shape, name)
    if isinstance(kind, ir.SequenceType):
        shapes = [None, _element_shape(shape).rank]
        return (
            tf.TensorSpec([None], dtype_of(kind.elem_type.dtype, f"The input '{name}'"), f"{name}_values"),
            tf.TensorSpec(shapes, tf.int64, f"{name}_shapes"),
        )
    if shape is None or kind is None:
        raise IsoformError(f"The input '{name}' has no known rank or dtype.", "Declare its shape.", kind="signature")
    return tf.TensorSpec(_dims(shape), dtype_of(kind.dtype, f"The input '{name}'"), name)


def _element_shape(shape: Any) -> tf.TensorShape:
    """Return the shape that a sequence declares for its elements; a scalar is how many files write an unknown one."""
    return tf.TensorShape(_dims(shape) if shape is not None and len(shape) else None)


def _dims(shape: Any) -> list[int | None]:
    return [dim if isinstance(dim, int) else None for dim in shape]


def inward(value: ir.Value, given: Any) -> Any:
    """Return what the signature's tensors for a graph input stand for."""
    return _inward(value.type, value.shape, given)


def _inward(kind: Any, shape: Any, given: Any) -> Any:
    if isinstance(kind, ir.OptionalType):
        return Optional(given[0], _inward(kind.elem_type, shape, given[1]))
    if not isinstance(kind, ir.SequenceType):
        return given
    values, shapes = given
    declared = _element_shape(shape)

    def shape_at(position: Any) -> Any:
        sizes = shapes[position]
        return tf.boolean_mask(sizes, sizes >= 0) if declared.rank is None else sizes

    def step(position: Any, start: Any, handle: Any) -> Any:
        sizes = shape_at(position)
        end = start + tf.reduce_prod(sizes)
        element = tf.reshape(values[start:end], sizes)
        return position + 1, end, tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=element)

    count = tf.shape(shapes)[0]
    start = (0, tf.constant(0, tf.int64), empty(values.dtype).handle)
    handle = tf.while_loop(lambda position, *_: position < count, step, start)[2]
    return TensorSequence(handle, values.dtype, declared)


def outward(value: Any) -> Any:
    """Return the tensors by which a signature shows ``value``."""
    if isinstance(value, Optional):
        return value.is_there, outward(value.value)
    if not isinstance(value, TensorSequence):
        return tf.identity(value)
    known = None if value.element_shape is None else value.element_shape.rank
    width = _widest(value) if known is None else known

    def step(position: Any, flat: Any, shapes: Any) -> Any:
        element = value.at(position)
        flat = tf.raw_ops.TensorListPushBack(input_handle=flat, tensor=tf.reshape(element, [-1]))
        shape = tf.shape(element, tf.int64)
        shape = tf.pad(shape, [[0, width - tf.size(shape)]], constant_values=tf.constant(-1, tf.int64))
        return position + 1, flat, tf.raw_ops.TensorListPushBack(input_handle=shapes, tensor=shape)

    start = (0, empty(value.dtype).handle, empty(tf.int64).handle)
    _, flat, shapes = tf.while_loop(lambda position, *_: position < value.length(), step, start)
    values = tf.raw_ops.TensorListConcatV2(
        input_handle=flat, element_shape=[-1], leading_dims=tf.zeros([0], tf.int64), element_dtype=value.dtype
    ).tensor
    stacked = tf.raw_ops.TensorListStack(
        input_handle=shapes, element_shape=[width], element_dtype=tf.int64, num_elements=-1
    )
    return values, tf.ensure_shape(stacked, [None, known])


def _widest(value: TensorSequence) -> Any:
    """Return the largest rank of any element, 0 where there is none."""

    def step(position: Any, width: Any) -> Any:
        return position + 1, tf.maximum(width, tf.rank(value.at(position)))

    return tf.while_loop(lambda position, _: position < value.length(), step, (0, 0))[1]


def missing(kind: Any, shape: Any) -> Optional:
    """Return an optional of a type, which is not there."""
    kind = kind.elem_type if isinstance(kind, ir.OptionalType) else kind
    if isinstance(kind, ir.SequenceType):
        return Optional(tf.constant(False), empty(dtype_of(kind.elem_type.dtype, "An optional")))
    rank = 0 if shape is None else len(shape)
    return Optional(tf.constant(False), tf.zeros([0] * rank, dtype_of(kind.dtype, "An optional")))


def pack(elements: Sequence[Any], dtype: Any, rank: int | None = None) -> tuple[Any, Any]:
    """Return arrays as the pair by which a signature takes them, for elements of a declared rank or of any."""
    arrays = [np.asarray(element, dtype) for element in elements]
    width = max((array.ndim for array in arrays), default=0) if rank is None else rank
    flat = np.concatenate([np.zeros([0], dtype), *(array.ravel() for array in arrays)])
    rows = [[*array.shape, *[-1] * (width - array.ndim)] for array in arrays]
    return flat, np.array(rows, np.int64).reshape(len(arrays), width)


def unpack(values: Any, shapes: Any) -> list[Any]:
    """Return the arrays that a pair of a signature stands for."""
    exact = [row[row >= 0] for row in np.asarray(shapes)]
    ends = np.cumsum([np.prod(shape, dtype=np.int64) for shape in exact], dtype=np.int64)[:-1]
    flat = np.split(np.asarray(values), ends) if exact else []
    return [part.reshape(shape) for part, shape in zip(flat, exact, strict=True)]
