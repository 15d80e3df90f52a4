"""Pooling, channels last: [n, height, width, channel]; over whole images in any number of axes."""

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import mul, reduce
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.pooling_windows import largest, means
from isoform.hub.emitters.tflite_ops.reduction import takes_squeeze
from isoform.hub.emitters.tflite_ops.windows import Pads, Window, padded, same
from isoform.hub.passes.fold_weights import constant

LOWEST = float(np.finfo(np.float32).min)


@op("MaxPool", domain=CHANNELS_LAST_DOMAIN)
def max_pool(call: Call) -> Tensor:
    if _is_dilated(call) or call[0].dtype != "float32":
        return largest(call, range(1, 3))
    window = _window(call)
    nothing = 0.0 if _is_never_negative(call.node.inputs[0]) else LOWEST  # XNNPACK pads with zeros alone
    x, padding = padded(call, call[0], window, window.pads, nothing)
    return _pooled(call, Code.MAX_POOL_2D, x, window, padding)


@op("AveragePool", domain=CHANNELS_LAST_DOMAIN)
def average_pool(call: Call) -> Tensor:
    """Return window means over what counts: TFLite's SAME leaves its padding out; else means are scaled afterwards."""
    if _is_dilated(call):
        return means(call, range(1, 3))
    window, counts_padding = _window(call), bool(call.int("count_include_pad", 0))
    is_same = window.follows_size or (window.pads == same(call[0], window) and any(map(any, window.pads)))
    if not counts_padding and is_same:
        return _pooled(call, Code.AVERAGE_POOL_2D, call[0], window, schema.Padding.SAME)
    x, padding = padded(call, call[0], window, window.pads, 0.0, keeps_same=False)
    is_whole = window.beyond == (0, 0) and (counts_padding or not any(map(any, window.pads)))
    if is_whole:
        return _pooled(call, Code.AVERAGE_POOL_2D, x, window, padding)
    scale = call.constant(_share(call, window, counts_padding), "float32")
    options = _options(window, padding)
    return mul(call, call.make(Code.AVERAGE_POOL_2D, [x], call.shape, options), scale)


@op("GlobalAveragePool")
def global_average_pool(call: Call) -> Tensor:
    return _over_image(call, Code.MEAN, range(2, len(call.shape)))


@op("GlobalMaxPool")
def global_max_pool(call: Call) -> Tensor:
    return _over_image(call, Code.REDUCE_MAX, range(2, len(call.shape)))


@op("GlobalAveragePool", domain=CHANNELS_LAST_DOMAIN)
def global_average_pool_last(call: Call) -> Tensor:
    return _over_image(call, Code.MEAN, range(1, len(call.shape) - 1))


@op("GlobalMaxPool", domain=CHANNELS_LAST_DOMAIN)
def global_max_pool_last(call: Call) -> Tensor:
    return _over_image(call, Code.REDUCE_MAX, range(1, len(call.shape) - 1))


def _over_image(call: Call, code: int, axes: range) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return reduce(call, code, call[0], axes, keeps_axes=not takes_squeeze(call, axes))


def _is_never_negative(value: ir.Value | None) -> bool:
    """Return whether an activation sees to it, followed at most by operators that only move or choose elements."""
    node = value.producer() if value is not None else None
    while node is not None and node.op_type in ("MaxPool", "Identity", "Transpose", "Reshape"):
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    if node is not None and node.op_type == "Clip":
        lowest = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return lowest is not None and lowest.size == 1 and float(lowest.reshape(-1)[0]) >= 0
    return node is not None and node.op_type in ("Relu", "Sigmoid", "Softmax", "HardSigmoid")


def _is_dilated(call: Call) -> bool:
    return max(call.ints("dilations") or [1]) > 1


def _window(call: Call) -> Window:
    require_dtype(call, call[0], FLOATS)
    window = Window.of(call, call.ints("kernel_shape") or [], call[0])
    if not call.int("ceil_mode", 0):
        return window
    sizes = list(zip(call[0].shape[1:3], call.shape[1:3], window.reach, window.strides, window.pads, strict=True))
    if any(size is None or count is None for size, count, *_ in sizes):
        raise call.refusal("ceil_mode of an image whose size is dynamic")
    beyond = [max((count - 1) * stride + reach - size - sum(pads), 0) for size, count, reach, stride, pads in sizes]
    pads: Pads = [(first, last + more) for (first, last), more in zip(window.pads, beyond, strict=True)]
    return window.padded_to(pads, (beyond[0], beyond[1]))


def _share(call: Call, window: Window, counts_padding: bool) -> Array:
    """Return, for each window, its size divided by how many of its elements count; [1, height, width, 1]."""
    counts = []
    places = zip(call[0].shape[1:3], call.shape[1:3], window.reach, window.strides, window.pads, strict=True)
    for axis, (size, count, reach, stride, (first, last)) in enumerate(places):
        if size is None or count is None:
            raise call.refusal("a mean without padding of an image whose size is dynamic")
        inner = [0.0 if not counts_padding else 1.0]
        flags = np.array(
            inner * first + [1.0] * size + inner * (last - window.beyond[axis]) + [0.0] * window.beyond[axis]
        )
        counts.append(
            np.array([flags[place * stride : place * stride + reach].sum() / reach for place in range(count)])
        )
    return np.asarray(1 / np.outer(*counts))[None, :, :, None]


def _pooled(call: Call, code: int, x: Tensor, window: Window, padding: int) -> Tensor:
    options = _options(window, padding)
    options.fusedActivationFunction = call.take_activation()
    return call.make(code, [x], call.shape, options)


def _options(window: Window, padding: int) -> schema.Pool2DOptionsT:
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = window.reach
    options.strideH, options.strideW = window.strides
    return options
