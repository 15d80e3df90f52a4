"""Windows put back into the image that they were taken from: Col2Im and MaxUnpool."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Col2Im", since=18)
def columns_to_image(call: Call) -> Tensor:
    """Return the image [n, c, size...] whose windows are the columns of x [n, c taps, window], overlaps summed."""
    x, image, block = call[0], tf.cast(call[1], tf.int32), tf.cast(call[2], tf.int32)
    rank = call.count(1, "image axes")
    strides, dilations = (call.attr_ints(name) or [1] * rank for name in ("strides", "dilations"))
    pads = call.attr_ints("pads") or [0] * (2 * rank)
    index = tf.zeros([1, 1], tf.int32)
    is_inside = tf.constant([[True]])
    for axis in range(rank):
        size, width = image[axis], block[axis]
        count = (size + pads[axis] + pads[rank + axis] - dilations[axis] * (width - 1) - 1) // strides[axis] + 1
        at = tf.range(width)[:, None] * dilations[axis] + tf.range(count)[None, :] * strides[axis] - pads[axis]
        index = _outer(index * size, at, tf.add)
        is_inside = _outer(is_inside, (at >= 0) & (at < size), tf.logical_and)
    total = tf.reduce_prod(image)
    segments = tf.reshape(tf.where(is_inside, index, -1), [-1])  # what has a negative segment is dropped
    n, taps = tf.shape(x)[0], tf.reduce_prod(block)
    columns = tf.reshape(x, tf.stack([n, -1, taps, tf.shape(x)[2]]))
    moved = tf.reshape(tf.transpose(columns, [2, 3, 0, 1]), tf.stack([taps * tf.shape(x)[2], -1]))
    summed = tf.math.unsorted_segment_sum(moved, segments, total)
    result = tf.reshape(tf.transpose(summed), tf.concat([tf.stack([n, -1]), image], 0))
    return tf.ensure_shape(result, [x.shape[0], *[None] * (rank + 1)])


def _outer(one: Tensor, other: Tensor, combine: Any) -> Tensor:
    """Return [a c, b d] of every element of one [a, b] combined with every one of the other [c, d]."""
    both = combine(one[:, None, :, None], other[None, :, None, :])
    shape = tf.shape(both)
    return tf.reshape(both, [shape[0] * shape[1], shape[2] * shape[3]])


@op("MaxUnpool", since=9)
def max_unpool(call: Call) -> Tensor:
    """Return an image of zeros with each maximum of x where it came from; behind the image, zeros up to a given shape.

    Indices count through the whole tensor that was pooled, whatever shape is asked for.
    """
    x, indices = call[0], call[1]
    spatial = _unpooled_sizes(call, x)
    shape = tf.concat([tf.shape(x)[:2], tf.stack(spatial)], 0)
    empty = tf.zeros(tf.reduce_prod(shape)[None], x.dtype)
    image = tf.tensor_scatter_nd_update(empty, tf.reshape(indices, [-1, 1]), tf.reshape(x, [-1]))
    image = tf.reshape(image, shape)
    if not call.has(2):
        return image
    behind = tf.cast(call[2], tf.int32) - shape
    return tf.pad(image, tf.stack([tf.zeros_like(behind), behind], 1))


def _unpooled_sizes(call: Call, x: Tensor) -> Sequence[Any]:
    kernel = call.attr_ints("kernel_shape") or []
    strides, pads = call.attr_ints("strides") or [1] * len(kernel), call.attr_ints("pads") or [0] * (2 * len(kernel))
    olds = [x.shape[axis] or tf.shape(x)[axis] for axis in range(2, len(x.shape))]
    return [
        (old - 1) * stride + width - before - after
        for old, stride, width, before, after in zip(
            olds, strides, kernel, pads[: len(kernel)], pads[len(kernel) :], strict=True
        )
    ]
