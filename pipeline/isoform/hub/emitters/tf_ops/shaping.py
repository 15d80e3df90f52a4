"""Operators that change or tell a tensor's shape and leave its elements in their order."""

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Reshape")
def reshape(call: Call) -> Tensor:
    """Return x in another shape; a 0 in it copies the size that stands there, unless ``allowzero``."""
    x = call[0]
    wanted = call.attr_ints("shape") if call.opset < 5 else call.constant(1)
    if wanted is None:
        return tf.reshape(x, _without_zeros(x, call[1], call.attr_int("allowzero")))
    sizes = [int(size) for size in wanted]
    if call.attr_int("allowzero") or 0 not in sizes:
        return tf.reshape(x, sizes)
    if -1 not in sizes and sum(size == 0 and x.shape[axis] is None for axis, size in enumerate(sizes)) == 1:
        # The one size that is unknown can be left to TensorFlow, which then still knows the others.
        return tf.reshape(x, [(-1 if x.shape[a] is None else x.shape[a]) if s == 0 else s for a, s in enumerate(sizes)])
    return tf.reshape(x, tf.stack([tf.shape(x)[axis] if size == 0 else size for axis, size in enumerate(sizes)]))


def _without_zeros(x: Tensor, wanted: Tensor, is_literal: int) -> Tensor:
    if is_literal:
        return wanted
    copied = tf.cast(tf.shape(x), wanted.dtype)
    rank, count = len(x.shape), wanted.shape[0]
    copied = copied[:count] if count <= rank else tf.pad(copied, [[0, count - rank]])
    return tf.where(tf.equal(wanted, 0), copied, wanted)


@op("Flatten")
def flatten(call: Call) -> Tensor:
    x = call[0]
    axis = call.attr_int("axis", 1)
    axis += len(x.shape) if axis < 0 else 0
    left, right = x.shape[:axis], x.shape[axis:]
    if right.is_fully_defined():
        columns = right.num_elements() if len(right) else 1
        return tf.reshape(x, [-1, columns]) if columns else tf.reshape(x, [left.num_elements(), columns])
    sizes = tf.shape(x)
    return tf.reshape(x, [tf.reduce_prod(sizes[:axis]), tf.reduce_prod(sizes[axis:])])


@op("Squeeze")
def squeeze(call: Call) -> Tensor:
    """Return x without axes of size one: the named ones, or all of them."""
    x = call[0]
    if not call.is_computed("axes", 1):
        return tf.squeeze(x, call.integers("axes", 1))
    rank, axes = len(x.shape), call[1]
    keep = tf.logical_not(_marked(axes, rank))
    sizes = tf.boolean_mask(tf.shape(x), keep)
    return tf.reshape(x, tf.ensure_shape(sizes, [rank - call.count(1, "axes")]))


@op("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    """Return x with axes of size one, which are counted in the result."""
    x = call[0]
    if not call.is_computed("axes", 1):
        axes = call.integers("axes", 1) or []
        if min(axes, default=0) < 0:  # the rank need not be known otherwise
            axes = [axis % (len(x.shape) + len(axes)) for axis in axes]
        for axis in sorted(axes):
            x = tf.expand_dims(x, axis)
        return x
    rank = len(x.shape) + call.count(1, "axes")
    is_new = _marked(call[1], rank)
    old = tf.cumsum(tf.cast(tf.logical_not(is_new), tf.int32)) - 1
    sizes = tf.pad(tf.shape(x), [[0, 1]], constant_values=1)  # a rank of 0 has no size to look up
    return tf.reshape(x, tf.where(is_new, 1, tf.gather(sizes, tf.maximum(old, 0))))


def _marked(axes: Tensor, rank: int) -> Tensor:
    """Return, for each of ``rank`` axes, whether it is among ``axes``, which may count from the end."""
    axes = tf.reshape(tf.cast(axes, tf.int32), [-1, 1])
    return tf.reduce_any(tf.equal(tf.math.floormod(axes, rank), tf.range(rank)), 0)


@op("Shape")
def shape(call: Call) -> Tensor:
    # Both count and clamp as slices in Python do, and so do TensorFlow's.
    end = call.attr_int("end") if call.has_attribute("end") else None
    return tf.shape(call[0], tf.int64)[call.attr_int("start") : end]


@op("Size")
def size(call: Call) -> Tensor:
    return tf.size(call[0], tf.int64)
