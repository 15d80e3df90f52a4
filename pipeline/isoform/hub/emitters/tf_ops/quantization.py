"""Quantised values: to integers and back, per tensor or per channel."""

from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

_CARRIED = (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32)


@op("DequantizeLinear", since=10)
def dequantize(call: Call) -> Tensor:
    x, scale = call[0], call[1]
    _require_plain(call, x.dtype)
    wide = tf.cast(x, tf.int32)
    if call.has(2):
        wide -= _on_channel(call, tf.cast(call[2], tf.int32), x)
    return tf.cast(wide, scale.dtype) * _on_channel(call, scale, x)


@op("QuantizeLinear", since=10)
def quantize(call: Call) -> Tensor:
    """Return round(x / scale) + zero point, half to even, saturated."""
    x = call[0]
    dtype = call[2].dtype if call.has(2) else call.attr_dtype("output_dtype", ir.DataType.UINT8)
    _require_plain(call, dtype)
    scaled = tf.round(tf.cast(x, tf.float32) / tf.cast(_on_channel(call, call[1], x), tf.float32))
    if call.has(2):
        scaled += _on_channel(call, tf.cast(call[2], tf.float32), x)
    return tf.cast(tf.clip_by_value(scaled, float(dtype.min), float(dtype.max)), dtype)


@op("DynamicQuantizeLinear", since=11)
def quantize_dynamically(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    x = call[0]
    low, high = tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0)
    scale = (high - low) / 255.0
    zero = tf.clip_by_value(tf.round(-tf.math.divide_no_nan(low, scale)), 0.0, 255.0)
    values = tf.clip_by_value(tf.round(tf.math.divide_no_nan(x, scale)) + zero, 0.0, 255.0)
    return tf.cast(values, tf.uint8), scale, tf.cast(zero, tf.uint8)


def _require_plain(call: Call, dtype: Any) -> None:
    if dtype not in _CARRIED or call.attr_int("block_size"):
        raise IsoformError(
            f"{call.node.op_type} (node {call.node.name}) is blocked or of {dtype.name}.",
            "Quantise per tensor or per channel to 8, 16 or 32 bits.",
            kind="unsupported-operator",
        )


def _on_channel(call: Call, values: Tensor, x: Tensor) -> Tensor:
    """Return one value a channel in a shape that broadcasts along x's axis; a scalar as it is."""
    if len(values.shape) != 1 or values.shape[0] == 1:
        return values if len(values.shape) != 1 else tf.squeeze(values, 0)
    axis = call.attr_int("axis", 1) % len(x.shape)
    return tf.reshape(values, [-1] + [1] * (len(x.shape) - axis - 1))
