"""Operators that move elements without computing: transposes, joins, tiles, blocks."""

from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Transpose")
def transpose(call: Call) -> Tensor:
    return tf.transpose(call[0], call.attr_ints("perm"))


@op("Concat")
def concat(call: Call) -> Tensor:
    return tf.concat(call.inputs, call.attr_int("axis", 1))


@op("Expand")
def expand(call: Call) -> Tensor:
    x, shape = call[0], call[1]
    result = tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x, shape.dtype), shape))
    if shape.shape[0] is None or x.shape.rank is None:
        return result
    return tf.ensure_shape(result, [None] * max(len(x.shape), shape.shape[0]))


@op("Tile")
def tile(call: Call) -> Tensor:
    return tf.tile(call[0], call[1])


@op("DepthToSpace")
def depth_to_space(call: Call) -> Tensor:
    x, block = call[0], call.attr_int("blocksize")
    n, c, h, w = _sizes(x)
    small = c // (block * block)
    if call.attr_string("mode", "DCR") == "DCR":
        x = tf.transpose(tf.reshape(x, [n, block, block, small, h, w]), [0, 3, 4, 1, 5, 2])
    else:
        x = tf.transpose(tf.reshape(x, [n, small, block, block, h, w]), [0, 1, 4, 2, 5, 3])
    return tf.reshape(x, [n, small, h * block, w * block])


@op("SpaceToDepth")
def space_to_depth(call: Call) -> Tensor:
    x, block = call[0], call.attr_int("blocksize")
    n, c, h, w = _sizes(x)
    is_by_channel = call.attr_string("mode", "DCR") == "CRD"
    order = [0, 1, 3, 5, 2, 4] if is_by_channel else [0, 3, 5, 1, 2, 4]
    x = tf.transpose(tf.reshape(x, [n, c, h // block, block, w // block, block]), order)
    return tf.reshape(x, [n, c * block * block, h // block, w // block])


def _sizes(x: Tensor) -> list[Any]:
    return [known if known is not None else tf.shape(x)[axis] for axis, known in enumerate(x.shape)]
