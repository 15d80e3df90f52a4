"""Activation functions."""

import math

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import (
    add,
    compare,
    div,
    maximum,
    minimum,
    mul,
    require_axes,
    select,
    sub,
    unary,
)
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, WIDER, require_dtype, widened

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
"""ONNX' defaults."""
_CLIPPED, _TOLERANCE = 6.0, 1e-6
"""Where RELU6 ends, and how near to its inverse a slope has to be: one that is written in float32."""


@op("Relu")
def relu(call: Call) -> Tensor:
    require_dtype(call, call[0], (*FLOATS, "int32", *WIDER))
    if call.dtype == "float32":
        return call.make(Code.RELU, [call[0]], call.shape)
    return widened(call, [call[0]], lambda x: maximum(call, x[0], 0))


@op("Sigmoid")
def sigmoid(call: Call) -> Tensor:
    return _plain(call, Code.LOGISTIC)


@op("Tanh")
def tanh(call: Call) -> Tensor:
    return _plain(call, Code.TANH)


@op("HardSwish", since=14)
def hard_swish(call: Call) -> Tensor:
    return _plain(call, Code.HARD_SWISH)


@op("HardSigmoid", since=6)
def hard_sigmoid(call: Call) -> Tensor:
    """Return alpha x + beta between 0 and 1; with a slope of 1 / 6 by way of the clipping that ADD has fused."""
    slope, start = call.float("alpha", 0.2), call.float("beta", 0.5)
    if math.isclose(slope, 1 / _CLIPPED, rel_tol=_TOLERANCE):
        options = schema.AddOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        shifted = call.make(Code.ADD, [_float(call), call.constant(start * _CLIPPED, "float32")], call.shape, options)
        return mul(call, shifted, 1 / _CLIPPED)
    line = add(call, mul(call, _float(call), slope), start)
    return minimum(call, maximum(call, line, 0.0), 1.0)


@op("Swish", since=24)
def swish(call: Call) -> Tensor:
    """Return x sigmoid(alpha x)."""
    x, alpha = _float(call), call.float("alpha", 1.0)
    return mul(call, x, unary(call, Code.LOGISTIC, x if alpha == 1.0 else mul(call, x, alpha)))


@op("Elu", since=6)
def elu(call: Call) -> Tensor:
    alpha = call.float("alpha", 1.0)
    return _plain(call, Code.ELU) if alpha == 1.0 else _elu(call, _float(call), alpha)


@op("Selu", since=6)
def selu(call: Call) -> Tensor:
    x, alpha, gamma = _float(call), call.float("alpha", _SELU_ALPHA), call.float("gamma", _SELU_GAMMA)
    return mul(call, _elu(call, x, alpha), gamma)


@op("Celu", since=12)
def celu(call: Call) -> Tensor:
    """Return max(x, 0) + min(0, alpha (exp(x / alpha) - 1))."""
    x, alpha = _float(call), call.float("alpha", 1.0)
    below = unary(call, Code.ELU, div(call, minimum(call, x, 0.0), alpha))
    return add(call, unary(call, Code.RELU, x), mul(call, below, alpha))


@op("LeakyRelu", since=6)
def leaky_relu(call: Call) -> Tensor:
    options = schema.LeakyReluOptionsT()
    options.alpha = call.float("alpha", 0.01)
    return call.make(Code.LEAKY_RELU, [_float(call)], call.shape, options)


@op("PRelu", since=7)
def prelu(call: Call) -> Tensor:
    """Return max(x, 0) + slope min(x, 0); the kernel of its own wants four axes at most."""
    x, slope = _float(call), call[1]
    return add(call, unary(call, Code.RELU, x), mul(call, minimum(call, x, 0.0), slope))


@op("ThresholdedRelu", since=10)
def thresholded_relu(call: Call) -> Tensor:
    x = _float(call)
    return select(call, compare(call, Code.GREATER, x, call.float("alpha", 1.0)), x, 0.0)


@op("Shrink", since=9)
def shrink(call: Call) -> Tensor:
    """Return x + bias below -lambda, x - bias above lambda, else 0."""
    x, edge, bias = _float(call), call.float("lambd", 0.5), call.float("bias", 0.0)
    above = select(call, compare(call, Code.GREATER, x, edge), sub(call, x, bias), 0.0)
    return select(call, compare(call, Code.LESS, x, -edge), add(call, x, bias), above)


@op("Softsign")
def softsign(call: Call) -> Tensor:
    x = _float(call)
    return div(call, x, add(call, unary(call, Code.ABS, x), 1.0))


@op("Gelu", since=20)
def gelu(call: Call) -> Tensor:
    """Return x Phi(x); the tanh form only where the graph asks for it."""
    options = schema.GeluOptionsT()
    options.approximate = call.string("approximate", "none") == "tanh"
    return call.make(Code.GELU, [_float(call)], call.shape, options)


@op("Softmax", since=1)
def softmax_of_rows(call: Call) -> Tensor:
    return _of_rows(call, Code.SOFTMAX)


@op("LogSoftmax", since=1)
def log_softmax_of_rows(call: Call) -> Tensor:
    return _of_rows(call, Code.LOG_SOFTMAX)


@op("Softmax", since=13)
def softmax(call: Call) -> Tensor:
    return _along(call, Code.SOFTMAX)


@op("LogSoftmax", since=13)
def log_softmax(call: Call) -> Tensor:
    return _along(call, Code.LOG_SOFTMAX)


def _of_rows(call: Call, code: int) -> Tensor:
    """Return the function over all axes from ``axis`` on, as it was before opset 13: here, over the last one."""
    rank = len(call.shape)
    if call.int("axis", 1) % rank != rank - 1:
        raise call.refusal("several axes as one")
    return call.make(code, [_float(call)], call.shape, _options(code))


def _along(call: Call, code: int) -> Tensor:
    """Return the function along ``axis``, which TFLite has for the last one: others are moved there and back."""
    x = _float(call)
    require_axes(call, x)
    rank = len(call.shape)
    axis = call.int("axis", -1) % rank
    if axis == rank - 1:
        return call.make(code, [x], call.shape, _options(code))
    swapped = list(range(rank))
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    shape = [call.shape[place] for place in swapped]
    perm = call.constant(swapped)
    moved = call.make(Code.TRANSPOSE, [x, perm], shape, schema.TransposeOptionsT())
    found = call.make(code, [moved], shape, _options(code))
    return call.make(Code.TRANSPOSE, [found, perm], call.shape, schema.TransposeOptionsT())


def _elu(call: Call, x: Tensor, alpha: float) -> Tensor:
    """Return max(x, 0) + alpha (exp(min(x, 0)) - 1)."""
    below = unary(call, Code.ELU, minimum(call, x, 0.0))
    return add(call, unary(call, Code.RELU, x), mul(call, below, alpha))


def _options(code: int) -> object:
    if code == Code.LOG_SOFTMAX:
        return schema.LogSoftmaxOptionsT()
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return options


def _plain(call: Call, code: int) -> Tensor:
    return call.make(code, [_float(call)], call.shape)


def _float(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return call[0]
