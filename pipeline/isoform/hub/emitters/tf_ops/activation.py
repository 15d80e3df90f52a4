"""Activation functions."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import HALVES, Call, Tensor, op

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


@op("Relu")
def relu(call: Call) -> Tensor:
    return tf.nn.relu(call[0])


@op("Sigmoid")
def sigmoid(call: Call) -> Tensor:
    return tf.sigmoid(call[0])


@op("Tanh")
def tanh(call: Call) -> Tensor:
    return tf.tanh(call[0])


@op("LeakyRelu")
def leaky_relu(call: Call) -> Tensor:
    return tf.nn.leaky_relu(call[0], call.attr_float("alpha", 0.01))


@op("PRelu")
def parametric_relu(call: Call) -> Tensor:
    x, slope = call[0], call[1]
    if call.opset < 7 and len(slope.shape) == 1 and slope.shape[0] != 1:  # it counted channels before
        slope = tf.reshape(slope, [-1] + [1] * (len(x.shape) - 2))
    return tf.where(x < 0, x * slope, x)


@op("Elu")
def elu(call: Call) -> Tensor:
    return _elu(call[0], call.attr_float("alpha", 1.0))


@op("Celu")
def celu(call: Call) -> Tensor:
    x, alpha = call[0], call.attr_float("alpha", 1.0)
    return tf.maximum(x, 0.0) + tf.minimum(alpha * tf.math.expm1(x / alpha), 0.0)


@op("Selu")
def selu(call: Call) -> Tensor:
    gamma = call.attr_float("gamma", _SELU_GAMMA)
    return gamma * _elu(call[0], call.attr_float("alpha", _SELU_ALPHA))


@op("Gelu")
def gelu(call: Call) -> Tensor:
    return tf.nn.gelu(call[0], approximate=call.attr_string("approximate", "none") == "tanh")


@op("Mish")
def mish(call: Call) -> Tensor:
    return call[0] * tf.tanh(tf.math.softplus(call[0]))


@op("Swish")
def swish(call: Call) -> Tensor:
    return call[0] * tf.sigmoid(call.attr_float("alpha", 1.0) * call[0])


@op("HardSigmoid")
def hard_sigmoid(call: Call) -> Tensor:
    return tf.clip_by_value(call.attr_float("alpha", 0.2) * call[0] + call.attr_float("beta", 0.5), 0.0, 1.0)


@op("HardSwish")
def hard_swish(call: Call) -> Tensor:
    return call[0] * tf.clip_by_value(call[0] * (1.0 / 6.0) + 0.5, 0.0, 1.0)


@op("Softplus")
def softplus(call: Call) -> Tensor:
    return tf.math.softplus(call[0])


@op("Softsign")
def softsign(call: Call) -> Tensor:
    return tf.math.softsign(call[0])


@op("ThresholdedRelu")
def thresholded_relu(call: Call) -> Tensor:
    x = call[0]
    return tf.where(x > call.attr_float("alpha", 1.0), x, tf.zeros_like(x))


@op("Shrink")
def shrink(call: Call) -> Tensor:
    x = call[0]
    limit, bias = (
        tf.cast(call.attr_float(name, default), x.dtype) for name, default in (("lambd", 0.5), ("bias", 0.0))
    )
    return tf.where(x < -limit, x + bias, tf.where(x > limit, x - bias, tf.zeros_like(x)))


@op("Softmax", since=13)
def softmax(call: Call) -> Tensor:
    return _in_single(tf.nn.softmax, call[0], call.attr_int("axis", -1))


@op("LogSoftmax", since=13)
def log_softmax(call: Call) -> Tensor:
    return _in_single(tf.nn.log_softmax, call[0], call.attr_int("axis", -1))


def _in_single(function: Callable[..., Any], x: Tensor, axis: int) -> Tensor:
    """Return ``function`` of x, half precision computed in single: a sum of halves would be rounded at every step."""
    return tf.cast(function(tf.cast(x, tf.float32), axis), x.dtype) if x.dtype in HALVES else function(x, axis)


@op("Softmax")
def softmax_of_rows(call: Call) -> Tensor:
    return _over_flat_rows(call, tf.nn.softmax)


@op("LogSoftmax")
def log_softmax_of_rows(call: Call) -> Tensor:
    return _over_flat_rows(call, tf.nn.log_softmax)


@op("Hardmax")
def hardmax(call: Call) -> Tensor:
    if call.opset < 13:
        return _over_flat_rows(call, _hardmax)
    axis = call.attr_int("axis", -1)
    return _hardmax(call[0], axis)


def _hardmax(x: Tensor, axis: int = -1) -> Tensor:
    return tf.one_hot(tf.argmax(x, axis), tf.shape(x)[axis], axis=axis, dtype=x.dtype)


def _over_flat_rows(call: Call, function: object) -> Tensor:
    """Before opset 13 the axis cut the tensor into rows, over each of which as a whole the function ran."""
    x, axis = call[0], call.attr_int("axis", 1)
    shape = tf.shape(x)
    rows = tf.reshape(x, [tf.reduce_prod(shape[:axis]), tf.reduce_prod(shape[axis:])])
    return tf.reshape(function(rows), shape)  # type: ignore[operator]


def _elu(x: Tensor, alpha: float) -> Tensor:
    return tf.where(x < 0, alpha * tf.math.expm1(x), x)
