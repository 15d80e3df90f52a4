"""Quantised values: to small numbers and back, per tensor, per channel or per block."""

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.dtypes import NIBBLES, QUARTERS, converted, require_kernels


@op("DequantizeLinear", since=10)
def dequantize(call: Call) -> Tensor:
    """Return (x - zero point) x scale."""
    x, scale = call[0], call[1]
    dtype = call.attr_dtype("output_dtype", ir.DataType.FLOAT) if call.attr_int("output_dtype") else scale.dtype
    if x.dtype in QUARTERS:
        return tf.cast(tf.cast(x, tf.float32) * tf.cast(_on_channel(call, scale, x), tf.float32), dtype)
    wide = tf.cast(x, tf.int32)
    if call.has(2):
        wide -= _on_channel(call, tf.cast(call[2], tf.int32), x)
    return tf.cast(tf.cast(wide, scale.dtype) * _on_channel(call, scale, x), dtype)


@op("QuantizeLinear", since=10)
def quantize(call: Call) -> Tensor:
    """Return round(x / scale) + zero point, half to even, saturated; a float8 is rounded to its own grid instead."""
    x = call[0]
    dtype = _wanted(call)
    require_kernels(dtype)
    scaled = tf.cast(x, tf.float32) / tf.cast(_on_channel(call, call[1], x), tf.float32)
    if dtype in QUARTERS:
        return converted(scaled, dtype, bool(call.attr_int("saturate", 1)))
    scaled = tf.round(scaled)
    if call.has(2):
        scaled += _on_channel(call, tf.cast(tf.cast(call[2], tf.int32), tf.float32), x)
    low, high = _bounds(dtype)
    return converted(tf.clip_by_value(scaled, low, high), dtype)


def _wanted(call: Call) -> object:
    if call.has(2):
        return call[2].dtype
    return call.attr_dtype("output_dtype" if call.attr_int("output_dtype") else "", ir.DataType.UINT8)


def _bounds(dtype: tf.DType) -> tuple[float, float]:
    if dtype in NIBBLES:
        return (-8.0, 7.0) if dtype.name == "int4" else (0.0, 15.0)
    return float(dtype.min), float(dtype.max)


@op("DynamicQuantizeLinear", since=11)
def quantize_dynamically(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    x = call[0]
    low, high = tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0)
    scale = (high - low) / 255.0
    zero = tf.clip_by_value(tf.round(-tf.math.divide_no_nan(low, scale)), 0.0, 255.0)
    values = tf.clip_by_value(tf.round(tf.math.divide_no_nan(x, scale)) + zero, 0.0, 255.0)
    return tf.cast(values, tf.uint8), scale, tf.cast(zero, tf.uint8)


def _on_channel(call: Call, values: Tensor, x: Tensor) -> Tensor:
    """Return values in a shape that broadcasts to x: one for all, one a channel, or one for each block of an axis."""
    axis = call.attr_int("axis", 1) % max(len(x.shape), 1)
    block = call.attr_int("block_size")
    if block:
        return tf.gather(values, tf.range(tf.shape(x)[axis]) // block, axis=axis)
    if len(values.shape) != 1 or values.shape[0] == 1:
        return values if len(values.shape) != 1 else tf.squeeze(values, 0)
    return tf.reshape(values, [-1] + [1] * (len(x.shape) - axis - 1))
