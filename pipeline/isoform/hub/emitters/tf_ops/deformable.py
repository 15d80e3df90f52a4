"""Deformable convolution: every element of the kernel reads the image at a place of its own."""

from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.layout import to_channels_last
from isoform.hub.emitters.tf_ops.sampling import sample


@op("DeformConv", since=19)
def deformable_convolution(call: Call) -> Tensor:
    """Return x [n, c, h, w] convolved at offset places, read linearly, zero outside; each reading times its mask."""
    x, weight = call[0], call[1]
    group = call.attr_int("group", 1)
    read, out = _columns(call, x, call.attr_ints("kernel_shape") or list(weight.shape[2:]))  # [n, c, taps, places]
    n, taps = tf.shape(x)[0], read.shape[2]
    read = tf.reshape(read, tf.stack([n, group, x.shape[1] // group * taps, -1]))
    kernel = tf.reshape(weight, [group, weight.shape[0] // group, -1])
    result = tf.reshape(tf.einsum("ngkp,gfk->ngfp", read, kernel), tf.stack([n, weight.shape[0], *out]))
    return result if call[3] is None else result + tf.reshape(call[3], [-1, 1, 1])


def _columns(call: Call, x: Tensor, kernel: list[int]) -> tuple[Tensor, list[Any]]:
    """Return what each tap of the kernel reads, [n, channel, tap, place], and the sizes of the result."""
    offset, groups = call[2], call.attr_int("offset_group", 1)
    n, taps, channels = tf.shape(x)[0], kernel[0] * kernel[1], x.shape[1] // groups
    out = [offset.shape[axis] or tf.shape(offset)[axis] for axis in (2, 3)]
    shifts = tf.reshape(offset, tf.stack([n, groups, taps, 2, *out]))
    places = [_grid(call, axis, kernel, out, x.dtype) + shifts[:, :, :, axis] for axis in (0, 1)]
    flat = [tf.reshape(place, tf.stack([n * groups, -1])) for place in places]
    image = tf.reshape(x, tf.stack([n * groups, channels, *tf.unstack(tf.shape(x)[2:])]))
    image = tf.ensure_shape(image, [None, channels, *x.shape[2:]])
    read = sample(to_channels_last(image), flat, "linear", None)  # [n groups, taps places, channel]
    read = tf.reshape(read, tf.stack([n, groups, taps, -1, channels]))
    if call[4] is not None:
        read *= tf.reshape(call[4], tf.stack([n, groups, taps, -1, 1]))
    return tf.reshape(tf.transpose(read, [0, 1, 4, 2, 3]), tf.stack([n, x.shape[1], taps, -1])), out


def _grid(call: Call, axis: int, kernel: list[int], out: list[Any], dtype: Any) -> Tensor:
    """Return where each tap would read without an offset, [tap, out height, out width] up to broadcasting."""
    stride, dilation = ((call.attr_ints(name) or [1, 1])[axis] for name in ("strides", "dilations"))
    pad = (call.attr_ints("pads") or [0] * 4)[axis]
    begin = tf.range(out[axis]) * stride - pad
    tap = tf.range(kernel[axis]) * dilation
    taps = tf.repeat(tap, kernel[1]) if axis == 0 else tf.tile(tap, [kernel[0]])
    begin = begin[:, None] if axis == 0 else begin[None, :]
    return tf.cast(taps[:, None, None] + begin[None], dtype)
