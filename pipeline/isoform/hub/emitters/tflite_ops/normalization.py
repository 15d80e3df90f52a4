"""Normalisations, composed of means and products; statistics in float32 as the graph has them."""

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, div, maximum, mul, reduce, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import to_shape


@op("BatchNormalization", since=9)
def batch_normalization(call: Call) -> Tensor:
    """Return the normalisation over axis 1."""
    channels = [1] * max(len(call.shape) - 2, 0)
    return _batch_normalization(call, (-1, *channels))


@op("BatchNormalization", domain=CHANNELS_LAST_DOMAIN)
def batch_normalization_last(call: Call) -> Tensor:
    """Return the normalisation over the last axis."""
    return _batch_normalization(call, (-1,))


def _batch_normalization(call: Call, channels: tuple[int, ...]) -> Tensor:
    """Return x * s + (t - m * s) with s = g / sqrt(v + e), computed once in float64."""
    require_dtype(call, call[0], FLOATS)
    parameters = [call.array(index) for index in range(1, 5)]
    if call.int("training_mode", 0):
        raise call.refusal("training mode")
    if any(array is None for array in parameters):
        return _by_computed_statistics(call, list(channels))
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in parameters)
    scale = gamma / np.sqrt(variance + call.float("epsilon", 1e-5))
    shift = beta - mean * scale
    product = mul(call, call[0], call.constant(scale.reshape(channels), "float32"))
    options = schema.AddOptionsT()
    options.fusedActivationFunction = call.take_activation()
    row = call.constant(shift.reshape(channels), "float32")
    return call.make(Code.ADD, [product, row], call.shape, options)


def _by_computed_statistics(call: Call, channels: list[int]) -> Tensor:
    """Return (x - m) / sqrt(v + e) * g + b."""
    gamma, beta, mean, variance = (_row(call, index, channels) for index in range(1, 5))
    inverse = unary(call, Code.RSQRT, add(call, variance, call.float("epsilon", 1e-5)))
    return add(call, mul(call, sub(call, call[0], mean), mul(call, inverse, gamma)), beta)


@op("LayerNormalization", since=17)
def layer_normalization(call: Call) -> list[Tensor]:
    """Return (x - m) / sqrt(v + e) * scale + bias over the axes from ``axis`` on; then m and 1 / sqrt(v + e)."""
    x = call[0]
    require_dtype(call, x, FLOATS)
    rank = len(x.shape)
    centred, mean, inverse = _centred(call, x, range(call.int("axis", -1) % rank, rank))
    result = _scaled(call, mul(call, centred, inverse))
    bias = call.get(2)
    return [result if bias is None else add(call, result, bias), mean, inverse]


@op("RMSNormalization", since=23)
def rms_normalization(call: Call) -> Tensor:
    """Return x / sqrt(mean(x^2) + e) * scale over the axes from ``axis`` on."""
    x = call[0]
    require_dtype(call, x, FLOATS)
    rank = len(x.shape)
    power = reduce(call, Code.MEAN, mul(call, x, x), range(call.int("axis", -1) % rank, rank))
    inverse = unary(call, Code.RSQRT, add(call, power, call.float("epsilon", 1e-5)))
    return _scaled(call, mul(call, x, inverse))


def _scaled(call: Call, normal: Tensor) -> Tensor:
    """Return ``normal`` times input 1, which is left out where it is all ones."""
    scale = call.array(1)
    return normal if scale is not None and np.all(scale == 1) else mul(call, normal, call[1])


@op("InstanceNormalization", since=6)
def instance_normalization(call: Call) -> Tensor:
    """Return each channel of each sample normalised by itself; channels on axis 1."""
    rank = len(call[0].shape)
    return _instance_normalization(call, range(2, rank), [-1] + [1] * (rank - 2))


@op("InstanceNormalization", domain=CHANNELS_LAST_DOMAIN)
def instance_normalization_last(call: Call) -> Tensor:
    """Return each channel of each sample normalised by itself; channels on the last axis."""
    return _instance_normalization(call, range(1, len(call[0].shape) - 1), [-1])


def _instance_normalization(call: Call, axes: range, row: list[int]) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return _normalized(call, call[0], axes, _row(call, 1, row), _row(call, 2, row))


@op("GroupNormalization", since=21)
def group_normalization(call: Call) -> Tensor:
    """Return groups of channels normalised together; channels on axis 1."""
    x, groups = call[0], call.int("num_groups", 1)
    require_dtype(call, x, FLOATS)
    batch, channels, *image = x.shape
    if channels is None or [batch, *image].count(None) > 1:
        raise call.refusal("more than one dynamic size")
    size = None if None in image else math.prod(size for size in image if size is not None)
    grouped = _reshaped(call, x, [batch, groups, channels // groups, size])
    scale, bias = (_row(call, index, [groups, channels // groups, 1]) for index in (1, 2))
    return _reshaped(call, _normalized(call, grouped, range(2, 4), scale, bias), [batch, channels, *image])


def _normalized(call: Call, x: Tensor, axes: range, scale: Tensor, bias: Tensor) -> Tensor:
    """Return (x - m) / sqrt(v + e) * scale + bias, statistics over ``axes``.

    What rounding leaves of the mean in x - m is taken off with the bias: where an image is constant it is all there is.
    """
    centred, _, inverse = _centred(call, x, axes)
    factor = mul(call, inverse, scale)
    return add(call, mul(call, centred, factor), sub(call, bias, mul(call, _mean(call, centred, axes), factor)))


@op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(call: Call) -> Tensor:
    """Return (x - m) / (sqrt(v) + 1e-9), as the operator's own definition has it."""
    x = call[0]
    require_dtype(call, x, FLOATS)
    axes = call.ints("axes") or [0, 2, 3]
    centred = sub(call, x, reduce(call, Code.MEAN, x, axes))
    variance = reduce(call, Code.MEAN, mul(call, centred, centred), axes)
    return div(call, centred, add(call, unary(call, Code.SQRT, variance), 1e-9))


@op("LpNormalization")
def lp_normalization(call: Call) -> Tensor:
    """Return x divided by its norm along ``axis``; zeros stay zeros."""
    x, axis = call[0], call.int("axis", -1)
    require_dtype(call, x, FLOATS)
    if call.int("p", 2) == 1:
        norm = reduce(call, Code.SUM, unary(call, Code.ABS, x), [axis])
    else:
        norm = unary(call, Code.SQRT, reduce(call, Code.SUM, mul(call, x, x), [axis]))
    return div(call, x, maximum(call, norm, float(np.finfo(np.float32).tiny)))


@op("LRN", domain=CHANNELS_LAST_DOMAIN)
def local_response_normalization(call: Call) -> Tensor:
    """Return x / (bias + alpha / size * sum of squares over ``size`` neighbouring channels) ** beta."""
    require_dtype(call, call[0], FLOATS)
    size = call.int("size", 1)
    if size % 2 == 0:
        raise call.refusal("an even number of neighbours")
    options = schema.LocalResponseNormalizationOptionsT()
    options.radius = size // 2
    options.alpha, options.beta = call.float("alpha", 1e-4) / size, call.float("beta", 0.75)
    options.bias = call.float("bias", 1.0)
    return call.make(Code.LOCAL_RESPONSE_NORMALIZATION, [call[0]], call.shape, options)


def _centred(call: Call, x: Tensor, axes: range | list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return x - m, m and 1 / sqrt(v + e), statistics over ``axes``."""
    mean = _mean(call, x, axes)
    centred = sub(call, x, mean)
    variance = _mean(call, unary(call, Code.SQUARE, centred), axes)
    return centred, mean, unary(call, Code.RSQRT, add(call, variance, call.float("epsilon", 1e-5)))


def _mean(call: Call, x: Tensor, axes: range | list[int]) -> Tensor:
    """Return the mean axis by axis: kernels sum in float32 one by one, which loses a bit with each doubling."""
    wide = [axis for axis in axes if x.shape[axis] != 1]
    for axis in reversed(wide):
        x = reduce(call, Code.MEAN, x, [axis])
    return x if wide else reduce(call, Code.MEAN, x, list(axes))


def _row(call: Call, index: int, shape: list[int]) -> Tensor:
    """Return input ``index`` [channels] in a shape that broadcasts."""
    array = call.array(index)
    if array is not None:
        return call.graph.constant(array.reshape(shape), f"{call.node.name}/row")
    known = [call[index].shape[0] if size == -1 else size for size in shape]
    return _reshaped(call, call[index], known)


def _reshaped(call: Call, x: Tensor, shape: list[int | None]) -> Tensor:
    return to_shape(call, x, [-1 if size is None else size for size in shape], shape)
