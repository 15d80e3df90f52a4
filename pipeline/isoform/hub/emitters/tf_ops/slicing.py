"""Operators that take a tensor apart: slices and parts."""

from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Split")
def split(call: Call) -> tuple[Tensor, ...]:
    """Return the parts of x along an axis, of given sizes or of one size, the last one then smaller."""
    x, axis = call[0], call.attr_int("axis")
    if call.is_computed("split", 1):
        return tuple(tf.split(x, tf.ensure_shape(call[1], [call.outputs]), axis))
    sizes = call.integers("split", 1)
    if sizes is not None:
        return tuple(tf.split(x, sizes, axis))
    count = call.attr_int("num_outputs", call.outputs)
    total = x.shape[axis]
    if total is not None and total % count == 0:
        return tuple(tf.split(x, count, axis))
    total = tf.shape(x)[axis] if total is None else total
    size = -(-total // count)
    return tuple(tf.split(x, [size] * (count - 1) + [total - size * (count - 1)], axis))


@op("Slice")
def cut(call: Call) -> Tensor:
    """Return x from ``starts`` to ``ends`` by ``steps`` along ``axes``, each known or computed."""
    x = call[0]
    if call.opset < 10:
        starts, ends, axes, steps = call.attr_ints("starts"), call.attr_ints("ends"), call.attr_ints("axes"), None
    else:
        starts, ends = (_known_or_parts(call, index) for index in (1, 2))
        axes, steps = None if call.is_computed("axes", 3) else call.integers("axes", 3), _known_or_parts(call, 4)
    assert starts is not None
    assert ends is not None
    if call.opset >= 10 and call.is_computed("axes", 3):
        return _cut_computed_axes(x, call[3], starts, ends, steps or [1] * len(starts))
    axes = list(range(len(starts))) if axes is None else axes
    cuts: list[Any] = [slice(None)] * len(x.shape)
    for position, axis in enumerate(axes):
        step = 1 if steps is None else steps[position]
        cuts[axis] = _slice(x, axis, starts[position], ends[position], step)
    return x[tuple(cuts)]


def _cut_computed_axes(x: Tensor, axes: Tensor, starts: list[Any], ends: list[Any], steps: list[Any]) -> Tensor:
    """Return x cut along axes known only at run time: every axis gets bounds, those not named the widest."""
    rank = len(x.shape)
    places = tf.math.floormod(tf.cast(axes, tf.int64), rank)[:, None]
    full = tf.constant(np.iinfo(np.int64).max)
    given = [tf.stack([tf.cast(bound, tf.int64) for bound in bounds]) for bounds in (starts, ends, steps)]
    begin, end, step = (
        tf.tensor_scatter_nd_update(tf.fill([rank], tf.cast(default, tf.int64)), places, values)
        for default, values in zip((0, full, 1), given, strict=True)
    )
    return x[tuple(_slice(x, axis, begin[axis], end[axis], step[axis]) for axis in range(rank))]


def _known_or_parts(call: Call, index: int) -> list[Any] | None:
    """Return the integers of an input: as numbers where they are known, else as scalar tensors."""
    known = call.constant(index)
    if known is not None:
        return [int(item) for item in known]
    return None if call[index] is None else tf.unstack(call[index])


def _slice(x: Tensor, axis: int, start: Any, end: Any, step: Any) -> slice:
    """Return a slice with ONNX' bounds: those beyond the axis are drawn in, from whichever side."""
    if all(isinstance(number, int) for number in (start, end, step)):
        size = x.shape[axis]
        if size is not None:
            return slice(*_clamped(start, end, step, size), step)
        if step > 0:
            limit = np.iinfo(np.int32).max
            return slice(max(start, -limit), None if end >= limit else max(end, -limit), step)
    size = tf.shape(x, tf.int64)[axis]
    start, end, step = (tf.cast(number, tf.int64) for number in (start, end, step))
    start, end = (tf.where(number < 0, number + size, number) for number in (start, end))
    is_backward = step < 0
    start = tf.clip_by_value(start, 0, tf.where(is_backward, size - 1, size))
    end = tf.clip_by_value(end, tf.where(is_backward, tf.constant(-1, tf.int64), tf.constant(0, tf.int64)), size)
    # TensorFlow reads an end of -1 as the last element; one size further back is before the first.
    return slice(start, tf.where(is_backward & (end < 0), -size - 1, end), step)


def _clamped(start: int, end: int, step: int, size: int) -> tuple[int, int | None]:
    bounds = slice(start, end, step).indices(size)
    return bounds[0], None if step < 0 and bounds[1] < 0 else bounds[1]
