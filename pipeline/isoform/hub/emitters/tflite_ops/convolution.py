"""Convolution, channels last: [n, height, width, channel], or [n, depth, height, width, channel]."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add
from isoform.hub.emitters.tflite_ops.call import Call, Code, op, sizes
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.hybrid import require_hybrid
from isoform.hub.emitters.tflite_ops.quantization import is_layer_weight, layer_weight
from isoform.hub.emitters.tflite_ops.windows import Window, padded

_VOLUME_RANK = 5
_VOLUME_WEIGHT = (2, 3, 4, 1, 0)  # [depth, height, width, channels, filters]
_MOST_GROUPS = 64


@op("Conv", domain=CHANNELS_LAST_DOMAIN)
def conv(call: Call) -> Tensor:
    """Return the convolution; depthwise where every channel has its own filters, grouped where some share them."""
    require_dtype(call, call[0], FLOATS)
    sizes, group = _kernel_sizes(call), call.int("group", 1)
    if len(sizes) == _VOLUME_RANK:
        return _conv_3d(call, sizes)
    filters = sizes[0]
    window = Window.of(call, sizes[2:], call[0])
    is_depthwise = group > 1 and sizes[1] == 1
    x, padding = padded(call, call[0], window, window.pads, 0.0)
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    if is_depthwise:
        options.depthMultiplier = filters // group
    options.padding = padding
    options.strideH, options.strideW = window.strides
    options.dilationHFactor, options.dilationWFactor = window.dilations
    options.fusedActivationFunction = call.take_activation()
    # [1, height, width, filters] for depthwise, else [filters, height, width, channels]
    weight = transposed_weight(call, (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1))
    code = Code.DEPTHWISE_CONV_2D if is_depthwise else Code.CONV_2D
    require_hybrid(call.graph.file, code, weight)
    return call.make(code, [x, weight, bias_row(call, filters)], call.shape, options)


@op("Conv")
def conv_as_it_stands(call: Call) -> Tensor:
    """Refuse what the layout pass has not taken: other ranks."""
    raise call.refusal(f"over {max(len(_kernel_sizes(call)) - 2, 0)} dimensions, or data of unknown rank")


def _conv_3d(call: Call, sizes: Sequence[int]) -> Tensor:
    """Return the convolution of [n, depth, height, width, channel]; groups one after the other, as TFLite has none."""
    group, x = call.int("group", 1), call[0]
    if group > _MOST_GROUPS:
        raise call.refusal(f"{group} groups in three dimensions")
    window = Window.of(call, sizes[2:], x)
    x, padding = padded(call, x, window, window.pads, 0.0)
    options = schema.Conv3DOptionsT()
    options.padding = padding
    options.strideD, options.strideH, options.strideW = window.strides
    options.dilationDFactor, options.dilationHFactor, options.dilationWFactor = window.dilations
    if group == 1:
        weight = transposed_weight(call, _VOLUME_WEIGHT)
        return call.make(Code.CONV_3D, [x, weight, bias_row(call, sizes[0])], call.shape, options)
    weights = call.array(1)
    if weights is None:
        raise call.refusal("groups of computed weights in three dimensions")
    images = _split_channels(call, x, group)
    shape = (*call.shape[:-1], sizes[0] // group)
    parts = [
        call.make(
            Code.CONV_3D, [image, call.graph.constant(part.transpose(_VOLUME_WEIGHT), "kernel"), None], shape, options
        )
        for image, part in zip(images, np.split(weights, group), strict=True)
    ]
    joining = schema.ConcatenationOptionsT()
    joining.axis = len(shape) - 1
    joined = call.make(Code.CONCATENATION, parts, call.shape, joining)
    return add(call, joined, call[2]) if call.has(2) else joined


def _split_channels(call: Call, x: Tensor, count: int) -> list[Tensor]:
    shape = (*x.shape[:-1], int(x.shape[-1] or 0) // count)
    parts = [call.graph.tensor(f"{call.node.name}/group_{place}", x.dtype, shape) for place in range(count)]
    options = schema.SplitOptionsT()
    options.numSplits = count
    call.graph.add(Code.SPLIT, [call.constant(len(shape) - 1), x], parts, options)
    return parts


def transposed_weight(call: Call, perm: Sequence[int]) -> Tensor:
    """Return input 1 with its axes in another order: when written where it is constant, else when the model runs."""
    array = call.array(1)
    if array is None:
        return layer_weight(call, 1, perm) if is_layer_weight(call, 1) else _moved(call, call[1], perm)
    value = call.node.inputs[1]
    name = str(value.name if value is not None else "kernel")
    return call.graph.constant(array.transpose(perm), name)


def bias_row(call: Call, filters: int) -> Tensor:
    """Return the bias [filters], zeros where there is none."""
    if call.has(2):
        return call[2]
    return call.constant(np.zeros(filters), "float32")


def _kernel_sizes(call: Call) -> tuple[int, ...]:
    value = call.node.inputs[1]
    known = () if value is None else sizes(value, call)
    if None in known:
        raise call.refusal("weights of dynamic sizes")
    return tuple(int(size) for size in known)


def _moved(call: Call, x: Tensor, perm: Sequence[int]) -> Tensor:
    shape = [x.shape[axis] for axis in perm]
    return call.make(Code.TRANSPOSE, [x, call.constant(perm)], shape, schema.TransposeOptionsT())
