"""Pooling: the largest, the mean or the norm of each window, channels last."""

from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.layout import (
    Pads,
    both_layouts,
    ceil_pads,
    is_zero,
    padded,
    spatial_sizes,
    to_channels_first,
    to_channels_last,
    window_pads,
)


@op("MaxPool")
def max_pool(call: Call) -> Any:
    x = to_channels_last(call[0])
    result = to_channels_first(_max_pool(call, x))
    return (result, _positions(call, x)) if call.wants(1) and call.outputs > 1 else result


@op("MaxPool", domain=CHANNELS_LAST_DOMAIN)
def max_pool_channels_last(call: Call) -> Tensor:
    return _max_pool(call, call[0])


def _max_pool(call: Call, x: Tensor) -> Tensor:
    kernel, strides, dilations, pads, extra = _window(call, x)
    lowest = x.dtype.min if x.dtype.is_integer else -float("inf")
    x = padded(x, _extended(pads, extra), lowest)
    if max(dilations) == 1 and x.dtype.is_floating:
        return tf.nn.max_pool(x, kernel, strides, "VALID")
    return reduce(tf.maximum, _shifted(x, kernel, strides, dilations))


def _positions(call: Call, x: Tensor) -> Tensor:
    """Return where in the flattened input, in ONNX' layout, each maximum stands."""
    kernel, strides, dilations, pads, extra = _window(call, x)
    sizes = spatial_sizes(x)
    number = tf.zeros([], tf.int64)
    place = 1
    order = range(len(sizes))[::-1] if not call.attr_int("storage_order") else range(len(sizes))
    for axis in order:
        shape = [-1 if each == axis else 1 for each in range(len(sizes))]
        number += tf.reshape(tf.range(tf.cast(sizes[axis], tf.int64)), shape) * place
        place *= tf.cast(sizes[axis], tf.int64)
    n, c = (tf.cast(tf.shape(x)[axis], tf.int64) for axis in (0, -1))
    spatial = tf.reshape(number, [1, *sizes, 1])
    index = spatial + (tf.range(c) * place) + tf.reshape(tf.range(n) * place * c, [-1, *[1] * (len(sizes) + 1)])
    whole = _extended(pads, extra)
    lowest = x.dtype.min if x.dtype.is_integer else -float("inf")
    values = tf.stack(_shifted(padded(x, whole, lowest), kernel, strides, dilations), -1)
    indices = tf.stack(_shifted(padded(index, whole), kernel, strides, dilations), -1)
    return to_channels_first(tf.gather(indices, tf.argmax(values, -1), batch_dims=len(values.shape) - 1))


@both_layouts("AveragePool")
def average_pool(call: Call, x: Tensor) -> Tensor:
    """Return window means; padding counts only with ``count_include_pad``, what ceil_mode adds never does."""
    kernel, strides, dilations, pads, extra = _window(call, x)
    whole = _extended(pads, extra)
    total = _mean(padded(x, whole), kernel, strides, dilations)
    counted = pads if call.attr_int("count_include_pad") else [(0, 0)] * len(pads)
    uncounted = [
        (before - keep_before, after - keep_after)
        for (before, after), (keep_before, keep_after) in zip(whole, counted, strict=True)
    ]
    if is_zero(uncounted):
        return total
    ones = tf.ones(
        tf.stack([1, *(size + sum(keep) for size, keep in zip(spatial_sizes(x), counted, strict=True)), 1]), x.dtype
    )
    return total / _mean(padded(ones, uncounted), kernel, strides, dilations)


@both_layouts("LpPool")
def norm_pool(call: Call, x: Tensor) -> Tensor:
    kernel, strides, dilations, pads, extra = _window(call, x)
    order = call.attr_int("p", 2)
    powers = padded(tf.pow(tf.abs(x), tf.cast(order, x.dtype)), _extended(pads, extra))
    total = reduce(tf.add, _shifted(powers, kernel, strides, dilations))
    return tf.pow(total, tf.cast(1 / order, x.dtype))


@both_layouts("GlobalAveragePool")
def global_average_pool(call: Call, x: Tensor) -> Tensor:
    return tf.reduce_mean(x, _spatial(x), keepdims=True)


@both_layouts("GlobalMaxPool")
def global_max_pool(call: Call, x: Tensor) -> Tensor:
    return tf.reduce_max(x, _spatial(x), keepdims=True)


@both_layouts("GlobalLpPool")
def global_norm_pool(call: Call, x: Tensor) -> Tensor:
    order = tf.cast(call.attr_int("p", 2), x.dtype)
    return tf.pow(tf.reduce_sum(tf.pow(tf.abs(x), order), _spatial(x), keepdims=True), 1 / order)


def _spatial(x: Tensor) -> list[int]:
    return list(range(1, len(x.shape) - 1))


def _window(call: Call, x: Tensor) -> tuple[list[int], list[int], list[int], Pads, list[Any]]:
    kernel = call.attr_ints("kernel_shape") or []
    strides, dilations = (call.attr_ints(name) or [1] * len(kernel) for name in ("strides", "dilations"))
    pads = window_pads(call, x, kernel, strides, dilations)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    extra = ceil_pads(x, pads, reach, strides) if call.attr_int("ceil_mode") else [0] * len(kernel)
    return kernel, strides, dilations, pads, extra


def _extended(pads: Pads, extra: Sequence[Any]) -> Pads:
    return [(before, after + more) for (before, after), more in zip(pads, extra, strict=True)]


def _mean(x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Tensor:
    if max(dilations) == 1:
        return tf.nn.avg_pool(x, kernel, strides, "VALID")
    windows = _shifted(x, kernel, strides, dilations)
    return reduce(tf.add, windows) / tf.cast(len(windows), x.dtype)


def _shifted(x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[Tensor]:
    """Return, for each element of the window, its value in every window: strided slices of x."""
    geometry = list(zip(spatial_sizes(x), kernel, strides, dilations, strict=True))
    counts = [(size - (width - 1) * dilation - 1) // stride + 1 for size, width, stride, dilation in geometry]

    def at(offsets: Sequence[int]) -> Tensor:
        cuts = [slice(None)]
        for offset, count, (_, _, stride, dilation) in zip(offsets, counts, geometry, strict=True):
            cuts.append(slice(offset * dilation, offset * dilation + (count - 1) * stride + 1, stride))
        return x[tuple(cuts)]

    return [at(offsets) for offsets in product(*map(range, kernel))]
