"""Pad: zeros, a constant, a mirror, the border or the other side around a tensor; less than nothing crops it."""

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

_PAD_MODES = {"constant": "CONSTANT", "reflect": "REFLECT", "edge": "edge", "wrap": "wrap"}


@op("Pad")
def pad(call: Call) -> Tensor:
    x = call[0]
    pads = call.attr_ints("pads") if call.opset < 11 else call.constant(1)
    amounts = call[1] if pads is None else tf.constant(np.array(pads, np.int64))
    value = call.attr_float("value") if call.opset < 11 else call[2]
    before_after = _pads_of_axes(call, x, amounts)
    x, before_after = _cropped(x, before_after)
    mode = _PAD_MODES[call.attr_string("mode", "constant")]
    if mode == "CONSTANT":
        filler = tf.zeros([], x.dtype) if value is None else tf.reshape(tf.cast(value, x.dtype), [])
        return tf.pad(x, before_after, constant_values=filler)
    return tf.pad(x, before_after, mode) if mode == "REFLECT" else _pad_by_index(x, before_after, mode)


def _pads_of_axes(call: Call, x: Tensor, amounts: Tensor) -> Tensor:
    """Return the pads as [axis, (before, after)] over all axes."""
    rank = len(x.shape)
    pairs = tf.transpose(tf.reshape(tf.cast(amounts, tf.int64), [2, -1]))
    if call.opset < 18 or not call.has(3):
        return tf.ensure_shape(pairs, [rank, 2])
    axes = tf.cast(call[3], tf.int64)
    return tf.scatter_nd(tf.math.floormod(axes, rank)[:, None], pairs, [rank, 2])


def _cropped(x: Tensor, pads: Tensor) -> tuple[Tensor, Tensor]:
    """Return x without what negative pads take away, and the pads that remain."""
    known = tf.get_static_value(pads)
    if known is not None and (known >= 0).all():
        return x, pads
    begin = tf.maximum(-pads[:, 0], 0)
    end = tf.shape(x, tf.int64) - tf.maximum(-pads[:, 1], 0)
    return tf.slice(x, begin, end - begin), tf.maximum(pads, 0)


def _pad_by_index(x: Tensor, pads: Tensor, mode: str) -> Tensor:
    """Return x padded with its own border or with its other side, axis by axis."""
    for axis in range(len(x.shape)):
        count = tf.shape(x, tf.int64)[axis]
        index = tf.range(-pads[axis, 0], count + pads[axis, 1])
        index = tf.clip_by_value(index, 0, count - 1) if mode == "edge" else tf.math.floormod(index, count)
        x = tf.gather(x, index, axis=axis)
    return x
