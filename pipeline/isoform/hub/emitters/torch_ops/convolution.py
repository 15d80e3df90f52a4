"""Convolution, pooling and normalisation over channels, in one to three dimensions: [n, channel, spatial...]."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from isoform.hub.emitters.torch_ops.call import Call, op

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@op("Conv")
def conv(call: Call) -> Any:
    kernel = _kernel_shape(call)
    strides, dilations = (call.ints(name) or [1] * len(kernel) for name in ("strides", "dilations"))
    x, padding = _padded(call, call[0], kernel, strides, dilations, 0.0)
    return _CONV[len(kernel)](x, call[1], _optional(call, 2), strides, padding, dilations, call.int("group", 1))


@op("ConvTranspose")
def conv_transpose(call: Call) -> Any:
    """Return the transposed convolution, for pads that are the same on both sides."""
    kernel = _kernel_shape(call)
    strides, dilations, extra = (
        call.ints(name) or [default] * len(kernel)
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    pads = call.ints("pads") or [0] * 2 * len(kernel)
    before, after = pads[: len(kernel)], pads[len(kernel) :]
    if before != after or call.ints("output_shape") or call.string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise call.refusal("uneven padding or a given output shape")
    function = _CONV_TRANSPOSE[len(kernel)]
    return function(call[0], call[1], _optional(call, 2), strides, before, extra, call.int("group", 1), dilations)


@op("MaxPool")
def max_pool(call: Call) -> Any:
    """Return window maxima; the second output, their places, is not carried."""
    if len(call.node.outputs) > 1 and list(call.node.outputs[1].uses()):
        raise call.refusal("the places of the maxima")
    kernel = call.ints("kernel_shape") or []
    strides, dilations = (call.ints(name) or [1] * len(kernel) for name in ("strides", "dilations"))
    x, padding = _padded(call, call[0], kernel, strides, dilations, float("-inf"))
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        x, padding = F.pad(x, _flat(padding, padding), value=float("-inf")), [0] * len(kernel)
    return _MAX_POOL[len(kernel)](x, kernel, strides, padding, dilations, bool(call.int("ceil_mode", 0)))


@op("AveragePool")
def average_pool(call: Call) -> Any:
    """Return window means; padding counts only with ``count_include_pad``."""
    kernel = call.ints("kernel_shape") or []
    strides = call.ints("strides") or [1] * len(kernel)
    counts = bool(call.int("count_include_pad", 0))
    pads = call.ints("pads") or [0] * 2 * len(kernel)
    even = pads[: len(kernel)] == pads[len(kernel) :] and call.string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    small = all(2 * pad <= size for pad, size in zip(pads, kernel, strict=False))
    if max(call.ints("dilations") or [1]) > 1 or not even or not small:
        raise call.refusal("dilation or uneven padding")
    function = _AVERAGE_POOL[len(kernel)]
    return function(call[0], kernel, strides, pads[: len(kernel)], bool(call.int("ceil_mode", 0)), counts)


@op("GlobalAveragePool")
def global_average_pool(call: Call) -> Any:
    return torch.mean(call[0], list(range(2, call.rank(0))), True)


@op("GlobalMaxPool")
def global_max_pool(call: Call) -> Any:
    return torch.amax(call[0], list(range(2, call.rank(0))), True)


@op("BatchNormalization", since=9)
def batch_normalization(call: Call) -> Any:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + bias, with the statistics of the file."""
    if call.int("training_mode", 0):
        raise call.refusal("training mode")
    return F.batch_norm(call[0], call[3], call[4], call[1], call[2], eps=call.float("epsilon", 1e-5))


@op("InstanceNormalization", since=6)
def instance_normalization(call: Call) -> Any:
    return F.instance_norm(call[0], weight=call[1], bias=call[2], eps=call.float("epsilon", 1e-5))


@op("LayerNormalization", since=17)
def layer_normalization(call: Call) -> Any:
    """Return the first output; mean and deviation are not carried."""
    if any(list(value.uses()) for value in call.node.outputs[1:]):
        raise call.refusal("mean and deviation as outputs")
    rank = call.rank(0)
    axis = call.int("axis", -1) % rank
    weight = call.array(1)
    if weight is None or weight.ndim != rank - axis:
        raise call.refusal("a scale that is computed or broadcast")
    return F.layer_norm(call[0], list(weight.shape), call[1], _optional(call, 2), call.float("epsilon", 1e-5))


def _optional(call: Call, index: int) -> Any:
    return None if call.get(index) is None else call[index]


def _kernel_shape(call: Call) -> list[int]:
    value = call.node.inputs[1]
    given = call.ints("kernel_shape")
    if given:
        return given
    if value is None or value.shape is None or not all(isinstance(dim, int) for dim in value.shape[2:]):
        raise call.refusal("a kernel of unknown size")
    return [int(dim) for dim in value.shape[2:]]


def _padded(
    call: Call, x: Any, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], value: float
) -> tuple[Any, list[int]]:
    """Return x, padded already where the sides differ, and the padding that is left to the operator."""
    before, after = _pads(call, kernel, strides, dilations)
    if before == after:
        return x, before
    return F.pad(x, _flat(before, after), value=value), [0] * len(kernel)


def _pads(
    call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    mode, rank = call.string("auto_pad", "NOTSET"), len(kernel)
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode == "NOTSET":
        pads = call.ints("pads") or [0] * 2 * rank
        return list(pads[:rank]), list(pads[rank:])
    value = call.node.inputs[0]
    sizes = list(value.shape)[2:] if value is not None and value.shape is not None else [None] * rank
    before, after = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (width - 1) * dilation + 1
        if stride != 1 and not isinstance(size, int):
            raise call.refusal(f"{mode} of an image whose size is dynamic")
        missing = reach - 1 if stride == 1 else max((-(-int(size) // stride) - 1) * stride + reach - int(size), 0)  # type: ignore[arg-type]
        small, large = missing // 2, missing - missing // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return before, after


def _flat(before: Sequence[int], after: Sequence[int]) -> list[int]:
    """Return pads as torch.nn.functional.pad wants them: the last axis first."""
    return [side for pair in reversed(list(zip(before, after, strict=True))) for side in pair]
