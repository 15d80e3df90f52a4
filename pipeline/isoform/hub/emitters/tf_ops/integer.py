"""Products and convolutions of quantised values: exact sums of integers, scaled back where the operator asks for it."""

from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.convolution import grouped
from isoform.hub.emitters.tf_ops.layout import to_channels_first, to_channels_last, window_pads


@op("MatMulInteger")
def matmul_integer(call: Call) -> Tensor:
    return tf.matmul(_left(call[0], call[2]), _minus(call[1], call[3]))


@op("QLinearMatMul", since=10)
def quantized_matmul(call: Call) -> Tensor:
    """Return the product of (a, scale, zero) and (b, scale, zero) in the scale and zero point of y."""
    product = tf.matmul(_left(call[0], call[2]), _minus(call[3], call[5]))
    a_scale, b_scale, y_scale = (tf.cast(call[index], tf.float32) for index in (1, 4, 6))
    return _requantized(product, _rows(a_scale) * b_scale / y_scale, call[7])


@op("ConvInteger", since=10)
def convolution_integer(call: Call) -> Tensor:
    x = _minus(call[0], call[2])
    return tf.cast(_convolved(call, x, _minus(call[1], _filters(call[3], call[1]))), tf.int32)


@op("QLinearConv", since=10)
def quantized_convolution(call: Call) -> Tensor:
    """Return the convolution of (x, scale, zero) and (w, scale, zero) in the scale and zero point of y."""
    x, weight = _minus(call[0], call[2]), _minus(call[3], _filters(call[5], call[3]))
    total = _convolved(call, x, weight, weight_index=3)
    channels = [-1] + [1] * (len(x.shape) - 2)
    if call.has(8):
        total += tf.cast(tf.reshape(call[8], channels), total.dtype)
    x_scale, w_scale, y_scale = (tf.cast(call[index], tf.float32) for index in (1, 4, 6))
    w_scale = tf.reshape(w_scale, channels) if len(w_scale.shape) else w_scale
    return _requantized(total, x_scale * w_scale / y_scale, call[7])


def _convolved(call: Call, x: Tensor, weight: Tensor, weight_index: int = 1) -> Tensor:
    """Return the convolution, exact in float64: sums of products of bytes stay far below 2^53."""
    rank = len(x.shape) - 2
    strides, dilations = (call.attr_ints(name) or [1] * rank for name in ("strides", "dilations"))
    image = tf.cast(to_channels_last(x), tf.float64)
    kernel = tf.cast(tf.transpose(weight, [*range(2, rank + 2), 1, 0]), tf.float64)
    shape = call.node.inputs[weight_index].shape if weight.shape.rank is None else weight.shape
    pads = window_pads(call, image, call.attr_ints("kernel_shape") or list(shape[2:]), strides, dilations)
    return to_channels_first(grouped(image, kernel, call.attr_int("group", 1), strides, pads, dilations))


def _requantized(total: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return round(total x scale) + zero, half to even, saturated in the dtype of ``zero``."""
    dtype = zero.dtype
    scaled = tf.round(tf.cast(total, tf.float32) * scale) + tf.cast(zero, tf.float32)
    return tf.cast(tf.clip_by_value(scaled, float(dtype.min), float(dtype.max)), dtype)


def _minus(x: Tensor, zero: Tensor | None) -> Tensor:
    wide = tf.cast(x, tf.int32)
    return wide if zero is None else wide - tf.cast(zero, tf.int32)


def _left(x: Tensor, zero: Tensor | None) -> Tensor:
    return _minus(x, None if zero is None else _rows(zero))


def _rows(values: Tensor) -> Tensor:
    """Return one value a row as a column; a scalar, and what has rows and columns already, as it is."""
    return tf.expand_dims(values, -1) if len(values.shape) == 1 and values.shape[0] != 1 else values


def _filters(zero: Any, weight: Tensor) -> Any:
    """Return one value a filter in a shape that broadcasts over the filters of ``weight``."""
    if zero is None or len(zero.shape) == 0:
        return zero
    return tf.reshape(zero, [-1] + [1] * (len(weight.shape) - 1))
