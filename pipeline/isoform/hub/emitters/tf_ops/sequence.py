"""Operators on sequences of tensors; positions and lengths may be known only at run time."""

from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.structure import TensorSequence, empty


@op("SequenceEmpty", since=11)
def sequence_empty(call: Call) -> TensorSequence:
    return empty(call.attr_dtype("dtype", ir.DataType.FLOAT))


@op("SequenceConstruct", since=11)
def sequence_construct(call: Call) -> TensorSequence:
    sequence = empty(call[0].dtype)
    for element in call.inputs:
        sequence = sequence.with_last(element)
    return sequence


@op("SequenceLength", since=11)
def sequence_length(call: Call) -> Tensor:
    return tf.cast(call[0].length(), tf.int64)


@op("SequenceAt", since=11)
def sequence_at(call: Call) -> Tensor:
    return call[0].at(_place(call[1], call[0].length()))


@op("SequenceInsert", since=11)
def sequence_insert(call: Call) -> TensorSequence:
    """Return the sequence with a tensor before a position, or at its end."""
    longer = call[0].with_last(call[1])
    if call[2] is None:
        return longer
    last = call[0].length()
    place = _place(call[2], last)
    order = tf.concat([tf.range(place), last[None], tf.range(place, last)], 0)
    return longer.picked(order)


@op("SequenceErase", since=11)
def sequence_erase(call: Call) -> TensorSequence:
    """Return the sequence without the tensor at a position, or without its last one."""
    length = call[0].length()
    place = length - 1 if call[1] is None else _place(call[1], length)
    return call[0].picked(tf.concat([tf.range(place), tf.range(place + 1, length)], 0))


def _place(position: Tensor, length: Tensor) -> Tensor:
    position = tf.cast(tf.reshape(position, []), tf.int32)
    return tf.where(position < 0, position + length, position)


@op("SplitToSequence", since=11)
def split_to_sequence(call: Call) -> TensorSequence:
    """Return the parts of x along an axis: of given sizes, of one size, or of size 1, then perhaps without the axis."""
    x, split = call[0], call[1]
    axis = call.attr_int("axis") % len(x.shape)
    total = tf.shape(x)[axis]
    if split is None:
        sizes = tf.ones([total], tf.int32)
    elif len(split.shape) == 0:
        size = tf.cast(split, tf.int32)
        starts = tf.range(0, total, size)
        sizes = tf.minimum(size, total - starts)
    else:
        sizes = tf.cast(split, tf.int32)
    ends = tf.cumsum(sizes)
    drops_axis = split is None and not call.attr_int("keepdims", 1)
    shape = x.shape.as_list()
    shape[axis : axis + 1] = [] if drops_axis else [1 if split is None else None]

    def part(position: Tensor) -> Tensor:
        cuts: list[Any] = [slice(None)] * len(x.shape)
        cuts[axis] = slice(ends[position] - sizes[position], ends[position])
        return tf.squeeze(x[tuple(cuts)], axis) if drops_axis else x[tuple(cuts)]

    return _collected(part, tf.shape(sizes)[0], x.dtype, tf.TensorShape(shape))


def _collected(element: Any, count: Tensor, dtype: Any, shape: tf.TensorShape) -> TensorSequence:
    """Return the sequence of ``element(position)`` for every position below ``count``."""

    def step(position: Tensor, handle: Any) -> tuple[Tensor, Any]:
        return position + 1, tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=element(position))

    handle = tf.while_loop(lambda position, _: position < count, step, (0, empty(dtype).handle))[1]
    return TensorSequence(handle, dtype, shape)


@op("ConcatFromSequence", since=11)
def concat_from_sequence(call: Call) -> Tensor:
    """Return the elements joined along an axis, which is a new one if that is asked."""
    sequence, axis, is_new = call[0], call.attr_int("axis"), bool(call.attr_int("new_axis"))
    rank = _element_rank(call, sequence, is_new)
    axis %= rank + is_new

    def moved(position: Tensor) -> Tensor:
        element = tf.ensure_shape(sequence.at(position), [None] * rank)
        element = tf.expand_dims(element, axis) if is_new else element
        return tf.experimental.numpy.moveaxis(element, axis, 0)

    listed = _collected(moved, sequence.length(), sequence.dtype, tf.TensorShape([None] * (rank + is_new)))
    result = tf.raw_ops.TensorListConcatV2(
        input_handle=listed.handle, element_shape=-1, leading_dims=tf.zeros([0], tf.int64), element_dtype=listed.dtype
    ).tensor
    return tf.experimental.numpy.moveaxis(tf.ensure_shape(result, [None] * (rank + is_new)), 0, axis)


def _element_rank(call: Call, sequence: TensorSequence, is_new_axis: bool) -> int:
    known = None if sequence.element_shape is None else sequence.element_shape.rank
    if known is not None:
        return int(known)
    declared = call.declared_rank(0)
    if declared is None:
        raise call.computed("number of axes")
    return declared - is_new_axis


@op("SequenceMap", since=17)
def sequence_map(call: Call) -> tuple[TensorSequence, ...]:
    """Return, for each output of the body, the sequence of what it gives for each position of the inputs."""
    body, inputs = call.body("body"), call.inputs
    first = inputs[0]
    shapes: list[Any] = []
    dtypes = [tf.as_dtype(value.dtype.numpy()) for value in body.outputs]

    def step(position: Tensor, handles: Any) -> Any:
        given = [each.at(position) if isinstance(each, TensorSequence) else each for each in inputs]
        results = call.emit(body, given)
        shapes[:] = [result.shape for result in results]
        pushed = [
            tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=result)
            for handle, result in zip(handles, results, strict=True)
        ]
        return position + 1, pushed

    start = (0, [empty(dtype).handle for dtype in dtypes])
    handles = tf.while_loop(lambda position, _: position < first.length(), step, start)[1]
    return tuple(TensorSequence(*each) for each in zip(handles, dtypes, shapes, strict=True))
