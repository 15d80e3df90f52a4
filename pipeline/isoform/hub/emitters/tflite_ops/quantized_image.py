"""Image operators of the domain ``isoform.quantized``, channels last: [n, height, width, channel]."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.convolution_transposed import axes_of, cut, produced_shape
from isoform.hub.emitters.tflite_ops.moving import shape_of, strided_slice
from isoform.hub.emitters.tflite_ops.quantized import activation, quantized
from isoform.hub.emitters.tflite_ops.windows import Window, padded, same
from isoform.hub.passes.quantized import noted
from isoform.hub.quantization import Quantization


@op("Conv", domain=QUANTIZED_DOMAIN)
def conv(call: Call) -> Tensor:
    """Return the convolution; padding is the integer that stands for 0."""
    array, group = call.array(1), call.int("group", 1)
    assert array is not None, "the rule takes constant weights only"
    is_depthwise = group > 1 and array.shape[1] == 1
    window = Window.of(call, array.shape[2:], call[0])
    x, padding = padded(call, call[0], window, window.pads, 0.0)
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    if is_depthwise:
        options.depthMultiplier = len(array) // group
    options.padding = padding
    options.strideH, options.strideW = window.strides
    options.dilationHFactor, options.dilationWFactor = window.dilations
    options.fusedActivationFunction = activation(call)
    # [1, height, width, filters] for depthwise, else [filters, height, width, channels]
    weight = stored_weight(call, (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1))
    code = Code.DEPTHWISE_CONV_2D if is_depthwise else Code.CONV_2D
    return quantized(call, code, [x, weight, _bias(call, len(array))], options)


@op("ConvTranspose", domain=QUANTIZED_DOMAIN)
def conv_transpose(call: Call) -> Tensor:
    """Return the transposed convolution without padding, cut to what is asked for."""
    array, found = call.array(1), noted(call.node.outputs[0])
    assert array is not None, "the rule takes constant weights only"
    assert found is not None, "the rules note every result"
    axes, filters = axes_of(call, array.shape[2:]), array.shape[1]
    options = schema.TransposeConvOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH, options.strideW = (axis.stride for axis in axes)
    shape = [call[0].shape[0], *(axis.produced for axis in axes), filters]
    whole = call.graph.tensor(f"{call.node.name}/whole", found.dtype, shape, found)
    inputs = [produced_shape(call, axes, filters), stored_weight(call, (1, 2, 3, 0)), call[0], _bias(call, filters)]
    call.graph.add(Code.TRANSPOSE_CONV, inputs, [whole], options)
    return cut(call, whole, axes)


def _bias(call: Call, filters: int) -> Tensor:
    """Return the bias [filters], zeros where there is none."""
    if call.has(2):
        return call[2]
    value = call.node.inputs[1]
    x, weight = call[0].quantization, None if value is None else noted(value)
    assert x is not None
    assert weight is not None
    scale = x.scale * weight.scale
    found = Quantization(scale, np.zeros(scale.shape, np.int64), "int32", None if scale.ndim == 0 else 0)
    return call.graph.constant(np.zeros(filters, np.int32), f"{call.node.name}/bias", found)


def stored_weight(call: Call, perm: Sequence[int]) -> Tensor:
    """Return the constant integers of input 1 with their axes in another order."""
    value, array = call.node.inputs[1], call.array(1)
    assert value is not None
    assert array is not None
    found = noted(value)
    assert found is not None, "the rules note every weight"
    axis = None if found.axis is None else list(perm).index(found.axis)
    return call.graph.constant(array.transpose(perm), str(value.name), found.moved(axis))


@op("MaxPool", domain=QUANTIZED_DOMAIN)
def max_pool(call: Call) -> Tensor:
    """Return the largest of each window; padding is the lowest integer."""
    return _pooled(call, Code.MAX_POOL_2D, is_mean=False)


@op("AveragePool", domain=QUANTIZED_DOMAIN)
def average_pool(call: Call) -> Tensor:
    """Return the means of windows, padding counted in as 0."""
    return _pooled(call, Code.AVERAGE_POOL_2D, is_mean=True)


def _pooled(call: Call, code: int, *, is_mean: bool) -> Tensor:
    window = Window.of(call, call.ints("kernel_shape") or [], call[0])
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = window.reach
    options.strideH, options.strideW = window.strides
    options.fusedActivationFunction = activation(call)
    if is_mean or (call[0].quantization is not None and call[0].quantization.zero == call[0].quantization.bounds[0]):
        x, options.padding = padded(call, call[0], window, window.pads, 0.0, keeps_same=not is_mean)
        return quantized(call, code, [x], options)
    x, options.padding = _padded_lowest(call, window)
    return quantized(call, code, [x], options)


def _padded_lowest(call: Call, window: Window) -> tuple[Tensor, int]:
    """Return x with the lowest integer around it; SAME leaves its padding out anyway."""
    x = call[0]
    if window.follows_size or (window.pads == same(x, window) and any(map(any, window.pads))):
        return x, schema.Padding.SAME
    if not any(map(any, window.pads)):
        return x, schema.Padding.VALID
    assert x.quantization is not None
    table = call.constant([(0, 0), *window.pads, (0, 0)])
    lowest = call.graph.constant(np.array(x.quantization.bounds[0], np.int8), "lowest", replace(x.quantization))
    sizes = zip(x.shape[1:-1], window.pads, strict=True)
    shape = [x.shape[0], *(None if size is None else size + sum(pair) for size, pair in sizes), x.shape[-1]]
    return call.make(Code.PADV2, [x, table, lowest], shape, schema.PadV2OptionsT()), schema.Padding.VALID


@op("Resize", domain=QUANTIZED_DOMAIN)
def resize(call: Call) -> Tensor:
    """Return the image grown by whole factors: elements repeated, or lines between them."""
    half_pixel = "half_pixel" in call.string("coordinate_transformation_mode", "half_pixel")
    if call.string("mode", "nearest") == "nearest":
        nearest = schema.ResizeNearestNeighborOptionsT()
        nearest.halfPixelCenters = True
        return quantized(call, Code.RESIZE_NEAREST_NEIGHBOR, [call[0], _grown(call)], nearest)
    bilinear = schema.ResizeBilinearOptionsT()
    bilinear.halfPixelCenters = half_pixel
    return quantized(call, Code.RESIZE_BILINEAR, [call[0], _grown(call)], bilinear)


def _grown(call: Call) -> Tensor:
    """Return height and width of the result, computed where they are dynamic."""
    factors, sizes = call.ints("factors") or [], call[0].shape[1:3]
    known = [size * factor for size, factor in zip(sizes, factors, strict=True) if size is not None]
    if len(known) == len(sizes):
        return call.constant(known)
    image = strided_slice(call, shape_of(call, call[0]), [1], [3], [1], [2])
    return mul(call, image, call.constant(factors))
