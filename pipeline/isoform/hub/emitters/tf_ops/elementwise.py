"""Operators that work on each element alone, or on two tensors that broadcast."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import HALVES, Call, Emit, Tensor, op
from isoform.hub.emitters.tf_ops.dtypes import converted


def _unary(function: Callable[[Any], Any]) -> Emit:
    return lambda call: function(call[0])


def _binary(function: Callable[[Any, Any], Any]) -> Emit:
    return lambda call: function(*_broadcast(call))


def _variadic(function: Callable[[Any, Any], Any]) -> Emit:
    return lambda call: reduce(function, call.inputs)


def _broadcast(call: Call) -> tuple[Tensor, Tensor]:
    """Return both operands; before opset 7 the second one was aligned at an axis, and only if asked to."""
    first, second = call[0], call[1]
    if call.opset < 7 and call.attr_int("broadcast"):
        axis = call.attr_int("axis", len(first.shape) - len(second.shape)) % len(first.shape)
        for _ in range(len(first.shape) - len(second.shape) - axis):
            second = tf.expand_dims(second, -1)
    return first, second


def _shift(call: Call) -> Tensor:
    """Return x shifted; by its whole width or more, nothing is left of it but the sign when shifted to the right."""
    x, count = call[0], call[1]
    is_left = call.attr_string("direction") == "LEFT"
    inside = (count >= 0) & (tf.cast(count, tf.int64) < x.dtype.size * 8)
    zeros = tf.zeros_like(x)
    emptied = zeros if is_left or x.dtype.is_unsigned else tf.where(x < 0, zeros - 1, zeros)
    shift = tf.bitwise.left_shift if is_left else tf.bitwise.right_shift
    return tf.where(inside, shift(x, tf.where(inside, count, tf.zeros_like(count))), emptied)


def _divide(first: Tensor, second: Tensor) -> Tensor:
    """Integers are divided towards zero, as in C."""
    return tf.truediv(first, second) if first.dtype.is_floating else tf.truncatediv(first, second)


def _identity(x: Any) -> Any:
    return tf.identity(x) if tf.is_tensor(x) else x  # a sequence is immutable already


@op("Mod")
def mod(call: Call) -> Tensor:
    """Return the remainder: with the sign of the divisor, or of the dividend (``fmod``)."""
    first, second = call[0], call[1]
    function = tf.truncatemod if call.attr_int("fmod") else tf.math.floormod
    if first.dtype in HALVES:
        return tf.cast(function(tf.cast(first, tf.float32), tf.cast(second, tf.float32)), first.dtype)
    return function(first, second)


@op("Pow")
def power(call: Call) -> Tensor:
    base, exponent = _broadcast(call)
    if exponent.dtype == base.dtype:
        return tf.pow(base, exponent)
    if base.dtype.is_floating:
        return tf.pow(base, tf.cast(exponent, base.dtype))
    # An integer base keeps its dtype; a fractional exponent is applied to it in float64.
    return tf.cast(tf.pow(tf.cast(base, tf.float64), tf.cast(exponent, tf.float64)), base.dtype)


@op("Clip")
def clip(call: Call) -> Tensor:
    """Return x within bounds; where they cross, the upper one wins."""
    x = call[0]
    low, high = (call.attr_float("min"), call.attr_float("max")) if call.opset < 11 else (call[1], call[2])
    if call.opset < 11:
        low = low if "min" in call.node.attributes else None
        high = high if "max" in call.node.attributes else None
    if x.dtype.is_floating and _is(low, 0.0) and _is(high, 6.0):
        return tf.nn.relu6(x)  # which TensorFlow fuses into the convolution before it
    x = x if low is None else tf.maximum(x, tf.cast(low, x.dtype))
    return x if high is None else tf.minimum(x, tf.cast(high, x.dtype))


def _is(bound: Any, number: float) -> bool:
    known = bound if bound is None or isinstance(bound, float) else tf.get_static_value(bound)
    return known is not None and float(known) == number


@op("Where")
def where(call: Call) -> Tensor:
    return tf.where(call[0], call[1], call[2])


@op("Cast")
def cast(call: Call) -> Tensor:
    return converted(call[0], call.attr_dtype("to", ir.DataType.FLOAT), bool(call.attr_int("saturate", 1)))


@op("CastLike")
def cast_like(call: Call) -> Tensor:
    return converted(call[0], call[1].dtype, bool(call.attr_int("saturate", 1)))


@op("BitCast", since=26)
def bit_cast(call: Call) -> Tensor:
    x, dtype = call[0], call.attr_dtype("to", ir.DataType.FLOAT)
    x = tf.cast(x, tf.uint8) if x.dtype == tf.bool else x  # a byte, which TensorFlow does not reinterpret itself
    return tf.cast(tf.bitcast(x, tf.uint8), tf.bool) if dtype == tf.bool else tf.bitcast(x, dtype)


@op("Round")
def round_half_to_even(call: Call) -> Tensor:
    return tf.round(call[0])


@op("Sign")
def sign(call: Call) -> Tensor:
    x = call[0]
    if x.dtype.is_unsigned:
        return tf.cast(tf.not_equal(x, tf.zeros([], x.dtype)), x.dtype)
    return tf.sign(x)


@op("IsInf")
def is_inf(call: Call) -> Tensor:
    x = call[0]
    found = tf.math.is_inf(x)
    if not call.attr_int("detect_positive", 1):
        found &= x < 0
    return found if call.attr_int("detect_negative", 1) else found & (x > 0)


@op("Mean")
def mean(call: Call) -> Tensor:
    return reduce(tf.add, call.inputs) / tf.cast(len(call), call[0].dtype)


@op("Constant")
def constant(call: Call) -> Tensor:
    for name, attribute in call.node.attributes.items():
        if name == "value":
            array = attribute.as_tensor().numpy()
            return tf.constant(np.array(array, object) if attribute.as_tensor().dtype == ir.DataType.STRING else array)
        dtype = {"f": tf.float32, "i": tf.int64, "s": tf.string}[name.removeprefix("value_")[0]]
        return tf.constant(attribute.value, dtype)
    raise ValueError("a Constant without a value")


for _name, _function in {
    "Abs": tf.abs, "Acos": tf.acos, "Acosh": tf.acosh, "Asin": tf.asin, "Asinh": tf.asinh, "Atan": tf.atan,
    "Atanh": tf.atanh, "BitwiseNot": tf.bitwise.invert, "Ceil": tf.math.ceil, "Cos": tf.cos, "Cosh": tf.cosh,
    "Erf": tf.math.erf, "Exp": tf.exp, "Floor": tf.floor, "IsNaN": tf.math.is_nan, "Log": tf.math.log,
    "Neg": tf.negative, "Not": tf.logical_not, "Reciprocal": tf.math.reciprocal, "Sin": tf.sin, "Sinh": tf.sinh,
    "Sqrt": tf.sqrt, "Tan": tf.tan, "Identity": _identity,
}.items():  # fmt: skip
    op(_name)(_unary(_function))

for _name, _combine in {
    "Add": tf.add, "And": tf.logical_and, "BitwiseAnd": tf.bitwise.bitwise_and, "BitwiseOr": tf.bitwise.bitwise_or,
    "BitwiseXor": tf.bitwise.bitwise_xor, "Div": _divide, "Equal": tf.equal, "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal, "Less": tf.less, "LessOrEqual": tf.less_equal, "Mul": tf.multiply,
    "Or": tf.logical_or, "Sub": tf.subtract, "Xor": tf.math.logical_xor,
}.items():  # fmt: skip
    op(_name)(_binary(_combine))

for _name, _combine in {"Max": tf.maximum, "Min": tf.minimum, "Sum": tf.add}.items():
    op(_name)(_variadic(_combine))

op("BitShift")(_shift)
