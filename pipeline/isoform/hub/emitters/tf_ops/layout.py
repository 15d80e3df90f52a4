"""Channels-last functions offered under both layouts, and the geometry of windows that slide over an image.

TensorFlow's kernels want channels last on the CPU. A function is written once for x [n, spatial..., c]; under the
standard domain it is wrapped in two transposes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tf_ops.call import Call, Emit, Tensor, op

OnChannelsLast = Callable[[Call, Tensor], Tensor]
Pads = list[tuple[Any, Any]]


def both_layouts(*names: str) -> Callable[[OnChannelsLast], OnChannelsLast]:
    """Return a decorator that registers a channels-last function for ONNX' own layout as well."""

    def register(function: OnChannelsLast) -> OnChannelsLast:
        op(*names)(_channels_first(function))
        op(*names, domain=CHANNELS_LAST_DOMAIN)(lambda call: function(call, call[0]))
        return function

    return register


def to_channels_last(x: Tensor) -> Tensor:
    rank = len(x.shape)
    return x if rank < 3 else tf.transpose(x, [0, *range(2, rank), 1])


def to_channels_first(x: Tensor) -> Tensor:
    rank = len(x.shape)
    return x if rank < 3 else tf.transpose(x, [0, rank - 1, *range(1, rank - 1)])


def _channels_first(function: OnChannelsLast) -> Emit:
    return lambda call: to_channels_first(function(call, to_channels_last(call[0])))


def spatial_sizes(x: Tensor) -> list[Any]:
    """Return the spatial sizes of x [n, spatial..., c]: numbers where they are known, else scalar tensors."""
    known = x.shape[1:-1]
    return [size if size is not None else tf.shape(x)[axis] for axis, size in enumerate(known, start=1)]


def window_pads(call: Call, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Pads:
    """Return (before, after) of each spatial axis, as ``pads`` or ``auto_pad`` ask for."""
    mode = call.attr_string("auto_pad", "NOTSET")
    rank = len(kernel)
    if mode == "VALID":
        return [(0, 0)] * rank
    if mode == "NOTSET":
        pads = call.attr_ints("pads") or [0] * (2 * rank)
        return list(zip(pads[:rank], pads[rank:], strict=True))
    pairs: Pads = []
    for size, width, stride, dilation in zip(spatial_sizes(x), kernel, strides, dilations, strict=True):
        reach = (width - 1) * dilation + 1
        missing = reach - 1 if stride == 1 else (-(-size // stride) - 1) * stride + reach - size
        missing = max(missing, 0) if isinstance(missing, int) else tf.maximum(missing, 0)
        small, large = missing // 2, missing - missing // 2
        pairs.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return pairs


def ceil_pads(x: Tensor, pads: Pads, reach: Sequence[int], strides: Sequence[int]) -> list[Any]:
    """Return what to add behind each axis so that a last, partial window counts (``ceil_mode``).

    A window that would begin in the padding behind the image is left out, as PyTorch and ONNX do.
    """
    extra = []
    for size, (before, after), width, stride in zip(spatial_sizes(x), pads, reach, strides, strict=True):
        steps = -(-(size + before + after - width) // stride)
        if isinstance(steps, int):
            steps -= steps * stride >= size + before
            extra.append(max(0, steps * stride + width - size - before - after))
        else:
            steps = tf.where(steps * stride >= size + before, steps - 1, steps)
            extra.append(tf.maximum(0, steps * stride + width - size - before - after))
    return extra


def is_zero(pads: Pads) -> bool:
    return all(isinstance(side, int) and side == 0 for pair in pads for side in pair)


def padded(x: Tensor, pads: Pads, value: Any = 0) -> Tensor:
    """Return x [n, spatial..., c] with ``value`` around its spatial axes."""
    if is_zero(pads):
        return x
    amounts = [(0, 0), *pads, (0, 0)]
    return tf.pad(x, amounts, constant_values=tf.cast(value, x.dtype)) if value else tf.pad(x, amounts)
