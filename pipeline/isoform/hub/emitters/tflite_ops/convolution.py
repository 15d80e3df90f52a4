"""Convolution and pooling, channels last: [n, height, width, channel]."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op

Pads = list[tuple[int, int]]


@op("Conv", domain=CHANNELS_LAST_DOMAIN)
def conv(call: Call) -> Tensor:
    """Return the convolution; depthwise where every channel has its own filters."""
    kernel, group = call.array(1), call.int("group", 1)
    if kernel is None or (call.get(2) is not None and call.array(2) is None):
        raise call.refusal("computed weights")
    filters, channels = kernel.shape[0], call[0].shape[-1]
    height, width = kernel.shape[2:]
    strides, dilations = call.ints("strides") or [1, 1], call.ints("dilations") or [1, 1]
    x, padding = _padded(call, call[0], [height, width], strides, dilations, 0.0)
    bias = call.array(2)
    row = call.constant(np.zeros(filters), "float32") if bias is None else call.graph.constant(bias, "bias")
    shape = (call.shape[0], *call.shape[1:])
    if group == 1:
        weight = np.ascontiguousarray(kernel.transpose(0, 2, 3, 1))  # [filters, height, width, channels]
        options = schema.Conv2DOptionsT()
        code = Code.CONV_2D
    elif group == channels:
        weight = np.ascontiguousarray(kernel.transpose(1, 2, 3, 0))  # [1, height, width, filters]
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = filters // group
        code = Code.DEPTHWISE_CONV_2D
    else:
        raise call.refusal(f"{group} groups of {channels} channels")
    options.padding = padding
    options.strideH, options.strideW = strides
    options.dilationHFactor, options.dilationWFactor = dilations
    options.fusedActivationFunction = call.take_activation()
    value = call.node.inputs[1]
    return call.make(
        code, [x, call.graph.constant(weight, str(value.name if value else "kernel")), row], shape, options
    )


@op("MaxPool", domain=CHANNELS_LAST_DOMAIN)
def max_pool(call: Call) -> Tensor:
    return _pool(call, Code.MAX_POOL_2D, float(np.finfo(np.float32).min), keeps_same=True)


@op("AveragePool", domain=CHANNELS_LAST_DOMAIN)
def average_pool(call: Call) -> Tensor:
    """Return window means. TFLite leaves out what its own SAME pads, so padding that counts is put there before."""
    return _pool(call, Code.AVERAGE_POOL_2D, 0.0, keeps_same=not call.int("count_include_pad", 0))


@op("GlobalAveragePool", domain=CHANNELS_LAST_DOMAIN)
def global_average_pool(call: Call) -> Tensor:
    return _over_image(call, Code.MEAN)


@op("GlobalMaxPool", domain=CHANNELS_LAST_DOMAIN)
def global_max_pool(call: Call) -> Tensor:
    return _over_image(call, Code.REDUCE_MAX)


@op("BatchNormalization", domain=CHANNELS_LAST_DOMAIN)
def batch_normalization(call: Call) -> Tensor:
    """Return x * s + (t - m * s) with s = g / sqrt(v + e), computed once in float64."""
    parameters = [call.array(index) for index in range(1, 5)]
    if any(array is None for array in parameters):
        raise call.refusal("computed statistics")
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in parameters)
    scale = gamma / np.sqrt(variance + call.float("epsilon", 1e-5))
    shift = beta - mean * scale
    product = call.make(Code.MUL, [call[0], call.constant(scale, "float32")], call.shape, schema.MulOptionsT())
    options = schema.AddOptionsT()
    options.fusedActivationFunction = call.take_activation()
    return call.make(Code.ADD, [product, call.constant(shift, "float32")], call.shape, options)


def _over_image(call: Call, code: int) -> Tensor:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    return call.make(code, [call[0], call.constant([1, 2])], call.shape, options)


def _pool(call: Call, code: int, padding_value: float, *, keeps_same: bool) -> Tensor:
    kernel, strides = call.ints("kernel_shape") or [], call.ints("strides") or [1, 1]
    if max(call.ints("dilations") or [1]) > 1 or call.int("ceil_mode", 0):
        raise call.refusal("dilation or ceil_mode")
    x, padding = _padded(call, call[0], kernel, strides, [1, 1], padding_value, keeps_same=keeps_same)
    if code == Code.AVERAGE_POOL_2D and keeps_same and x is not call[0]:
        raise call.refusal("a mean that leaves out padding other than SAME")
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = kernel
    options.strideH, options.strideW = strides
    options.fusedActivationFunction = call.take_activation()
    return call.make(code, [x], call.shape, options)


def _padded(
    call: Call,
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    value: float,
    *,
    keeps_same: bool = True,
) -> tuple[Tensor, int]:
    """Return x and the padding mode: SAME or VALID where it is just that, else x with explicit padding and VALID."""
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    pads = _pads(call, x, reach, strides)
    if not any(map(any, pads)):
        return x, schema.Padding.VALID
    if keeps_same and pads == _same(x, reach, strides):
        return x, schema.Padding.SAME
    table = call.constant([(0, 0), *pads, (0, 0)])
    sizes = zip(x.shape[1:3], pads, strict=True)
    shape = [x.shape[0], *(None if size is None else size + sum(pair) for size, pair in sizes), x.shape[3]]
    if value == 0:
        return call.make(Code.PAD, [x, table], shape, schema.PadOptionsT()), schema.Padding.VALID
    filled = call.constant(value, "float32")
    return call.make(Code.PADV2, [x, table, filled], shape, schema.PadV2OptionsT()), schema.Padding.VALID


def _pads(call: Call, x: Tensor, reach: list[int], strides: list[int]) -> Pads:
    mode = call.string("auto_pad", "NOTSET")
    if mode == "VALID":
        return [(0, 0), (0, 0)]
    if mode == "NOTSET":
        pads = call.ints("pads") or [0] * 4
        return [(pads[0], pads[2]), (pads[1], pads[3])]
    same = _same(x, reach, strides)
    if same is None:
        raise call.refusal(f"{mode} of an image whose size is dynamic")
    return same if mode == "SAME_UPPER" else [(after, before) for before, after in same]


def _same(x: Tensor, reach: list[int], strides: list[int]) -> Pads | None:
    """Return what TFLite's SAME pads; None where a size has to be known for that and is not."""
    pads = []
    for size, window, stride in zip(x.shape[1:3], reach, strides, strict=True):
        if stride == 1:
            missing = window - 1
        elif size is None:
            return None
        else:
            missing = max((-(-size // stride) - 1) * stride + window - size, 0)
        pads.append((missing // 2, missing - missing // 2))
    return pads
