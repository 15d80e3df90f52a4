"""Operators that pick or place elements by index."""

from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Gather")
def gather(call: Call) -> Tensor:
    data, axis = call[0], call.attr_int("axis")
    return tf.gather(data, _from_start(call, 1, data, axis), axis=axis)


@op("GatherElements")
def gather_elements(call: Call) -> Tensor:
    data, axis = call[0], call.attr_int("axis") % len(call[0].shape)
    return tf.gather_nd(data, _coordinates(_from_start(call, 1, data, axis), axis))


@op("GatherND")
def gather_nd(call: Call) -> Tensor:
    data, indices = call[0], call[1]
    batch, depth = call.attr_int("batch_dims"), indices.shape[-1]
    sizes = tf.shape(data, indices.dtype)[batch : batch + depth]
    return tf.gather_nd(data, tf.where(indices < 0, indices + sizes, indices), batch_dims=batch)


@op("ScatterElements", "Scatter")
def scatter_elements(call: Call) -> Tensor:
    data, updates = call[0], call[2]
    axis = call.attr_int("axis") % len(data.shape)
    coordinates = _coordinates(_from_start(call, 1, data, axis), axis)
    return _scatter(data, coordinates, updates, call.attr_string("reduction", "none"))


@op("ScatterND")
def scatter_nd(call: Call) -> Tensor:
    data, indices, updates = call[0], call[1], call[2]
    sizes = tf.shape(data, indices.dtype)[: indices.shape[-1]]
    return _scatter(
        data, tf.where(indices < 0, indices + sizes, indices), updates, call.attr_string("reduction", "none")
    )


def _scatter(data: Tensor, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
    functions = {
        "none": tf.tensor_scatter_nd_update,
        "add": tf.tensor_scatter_nd_add,
        "max": tf.tensor_scatter_nd_max,
        "min": tf.tensor_scatter_nd_min,
        "mul": _scatter_multiply,
    }
    return functions[reduction](data, indices, updates)


def _scatter_multiply(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """Multiply one update after the other, since TensorFlow has no such scatter."""
    depth = indices.shape[-1]
    flat = tf.reshape(indices, [-1, depth])
    values = tf.reshape(updates, tf.concat([[tf.shape(flat)[0]], tf.shape(data)[depth:]], 0))

    def step(position: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
        where = flat[position : position + 1]
        product = tf.gather_nd(result, where) * values[position : position + 1]
        return position + 1, tf.tensor_scatter_nd_update(result, where, product)

    return tf.while_loop(lambda position, _: position < tf.shape(flat)[0], step, (0, data))[1]


@op("TensorScatter", since=24)
def tensor_scatter(call: Call) -> Tensor:
    """Return a cache [n, ...] with an update written into each row from that row's index on, along an axis."""
    cache, update = call[0], call[1]
    axis = call.attr_int("axis", -2) % len(cache.shape)
    size = tf.shape(cache)[axis]
    start = tf.zeros(tf.shape(cache)[:1], tf.int32) if call[2] is None else tf.cast(call[2], tf.int32)
    places = start[:, None] + tf.range(tf.shape(update)[axis])
    if call.attr_string("mode", "linear") == "circular":
        places = tf.math.floormod(places, size)
    moved, given = (tf.experimental.numpy.moveaxis(x, axis, 1) for x in (cache, update))
    rows = tf.broadcast_to(tf.range(tf.shape(cache)[0])[:, None], tf.shape(places))
    written = tf.tensor_scatter_nd_update(moved, tf.stack([rows, places], -1), given)
    return tf.ensure_shape(tf.experimental.numpy.moveaxis(written, 1, axis), cache.shape)


@op("OneHot")
def one_hot(call: Call) -> Tensor:
    indices, axis = call[0], call.attr_int("axis", -1)
    depth = tf.cast(tf.reshape(call[1], []), tf.int64)
    off, on = tf.unstack(call[2])
    axis += len(indices.shape) + 1 if axis < -1 else 0
    indices = tf.cast(indices, tf.int64)
    indices = tf.where(indices < 0, indices + depth, indices)
    hot = tf.one_hot(indices, tf.cast(depth, tf.int32), True, False, axis, tf.bool)
    return tf.where(hot, on, off)


@op("TopK")
def top_k(call: Call) -> tuple[Tensor, Tensor]:
    """Return the largest or smallest k along an axis and where they stand; of equals, the first."""
    x, axis = call[0], call.attr_int("axis", -1)
    count = call.attr_int("k") if call.opset < 10 else tf.reshape(call[1], [])
    moved = _axis_last(x, axis)
    if call.attr_int("largest", 1):
        values, indices = tf.math.top_k(moved, tf.cast(count, tf.int32))
    else:
        indices = tf.argsort(moved, stable=True)[..., : tf.cast(count, tf.int32)]
        values = tf.gather(moved, indices, batch_dims=len(moved.shape) - 1)
    return _axis_back(values, axis), tf.cast(_axis_back(indices, axis), tf.int64)


@op("NonZero")
def non_zero(call: Call) -> Tensor:
    x = call[0]
    return tf.transpose(tf.where(x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros([], x.dtype))))


@op("Compress")
def compress(call: Call) -> Tensor:
    x, keep = call[0], call[1]
    axis = call.attr_int("axis") if "axis" in call.node.attributes else None
    x = tf.reshape(x, [-1]) if axis is None else x
    return tf.gather(x, tf.reshape(tf.where(keep), [-1]), axis=axis or 0)


@op("ReverseSequence")
def reverse_sequence(call: Call) -> Tensor:
    return tf.reverse_sequence(
        call[0], call[1], seq_axis=call.attr_int("time_axis"), batch_axis=call.attr_int("batch_axis", 1)
    )


@op("Unique")
def unique(call: Call) -> tuple[Tensor, ...]:
    """Return the distinct elements or slices, where each first stands, which one each element is, how often."""
    x = call[0]
    axis = call.attr_int("axis") if "axis" in call.node.attributes else None
    x = tf.reshape(x, [-1]) if axis is None else x
    values, inverse, counts = tf.raw_ops.UniqueWithCountsV2(x=x, axis=[axis or 0], out_idx=tf.int64)
    total = tf.shape(inverse, tf.int64)[0]
    first = tf.math.unsorted_segment_min(tf.range(total), inverse, tf.shape(counts)[0])
    if not call.attr_int("sorted", 1):
        return values, first, inverse, counts
    order = _lexicographic_order(values, axis or 0)
    rank = tf.math.invert_permutation(order)
    return (
        tf.gather(values, order, axis=axis or 0), tf.gather(first, order),
        tf.cast(tf.gather(rank, inverse), tf.int64), tf.gather(counts, order),
    )  # fmt: skip


def _lexicographic_order(values: Tensor, axis: int) -> Tensor:
    """Return the order of slices along ``axis``: sorted by their last element first, then stably by earlier ones."""
    count = tf.shape(values)[axis]
    rows = tf.reshape(tf.experimental.numpy.moveaxis(values, axis, 0), [count, -1])

    def step(column: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        return column - 1, tf.gather(order, tf.argsort(tf.gather(rows[:, column], order), stable=True))

    return tf.while_loop(lambda column, _: column >= 0, step, (tf.shape(rows)[1] - 1, tf.range(count)))[1]


def _from_start(call: Call, index: int, data: Tensor, axis: int) -> Tensor:
    """Return indices counted from the start only; TensorFlow has no negative ones."""
    known = call.constant(index)
    size = data.shape[axis]
    if known is not None and ((known >= 0).all() or size is not None):
        return tf.constant(np.where(known < 0, known + (size or 0), known))
    indices = call[index]
    return tf.where(indices < 0, indices + tf.shape(data, indices.dtype)[axis], indices)


def _coordinates(indices: Tensor, axis: int) -> Tensor:
    """Return full coordinates [..., rank] of elements that are picked along one axis."""
    ranges = [tf.range(tf.shape(indices, indices.dtype)[each]) for each in range(len(indices.shape))]
    grid: list[Any] = list(tf.meshgrid(*ranges, indexing="ij"))
    grid[axis] = indices
    return tf.stack(grid, -1)


def _axis_last(x: Tensor, axis: int) -> Tensor:
    axes = list(range(len(x.shape)))
    axes.append(axes.pop(axis))
    return tf.transpose(x, axes)


def _axis_back(x: Tensor, axis: int) -> Tensor:
    axes = list(range(len(x.shape) - 1))
    axes.insert(axis if axis >= 0 else len(x.shape) + axis, len(x.shape) - 1)
    return tf.transpose(x, axes)
