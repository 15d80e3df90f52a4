"""Interpolation along one axis: where each new element stands in the old axis, and what its neighbours weigh.

Coordinates follow the formulas of ONNX' Resize, which TensorFlow's own image operators share only in part. Where sizes
are static, TensorFlow folds all index arithmetic away. Not aware of how an operator names its sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor


@dataclass(frozen=True)
class Target:
    """What one axis becomes: numbers where they are known, else scalar tensors.

    Attributes:
        scale: new size over old size, as the coordinates go by it; it need not be exactly that ratio.
        is_ratio: whether ``scale`` is exactly new size over old size.
        box: (start, end) of the region to cut out, in fractions of the axis.
    """

    size: Any
    scale: Any
    is_ratio: bool = False
    box: tuple[Any, Any] | None = None


def is_first_version(call: Call) -> bool:
    """Tell whether this is Resize of opset 10 or Upsample: scales are the second input, and there is no other."""
    return len(call) <= 2


def along(call: Call, x: Tensor, axis: int, target: Target, mode: str) -> Tensor:
    """Return x resized along ``axis``; ``mode`` names the transformation of coordinates."""
    old, scale = tf.cast(tf.shape(x)[axis], tf.float32), tf.cast(target.scale, tf.float32)
    where = _positions(tf.cast(target.size, tf.float32), old, scale, mode, target.box)
    kind = call.attr_string("mode", "nearest")
    if call.attr_int("antialias") and kind != "nearest":
        return _smoothed(call, x, axis, where, scale)
    if kind == "nearest":
        rounded = _rounded(where, call.attr_string("nearest_mode", "round_prefer_floor"), is_first_version(call))
        result = _pick(x, axis, rounded)
    elif kind in ("linear", "bilinear"):
        low = tf.floor(where)
        result = _weighted(x, axis, low, _linear_weights(where - low), call)
    else:
        low = tf.floor(where) - 1
        result = _weighted(x, axis, low, cubic_weights(where - low - 1, call.attr_float("cubic_coeff_a", -0.75)), call)
    if target.box is None:
        return result
    outside = (where < 0) | (where > old - 1)
    filler = tf.cast(call.attr_float("extrapolation_value"), x.dtype)
    return tf.where(_on_axis(outside, axis, x), filler, result)


def _positions(size: Tensor, old: Tensor, scale: Tensor, mode: str, box: tuple[Any, Any] | None) -> Tensor:
    """Return where each new element stands in the old axis; the formulas are those of ONNX' Resize."""
    index = tf.range(size)
    if mode == "asymmetric":
        return index / scale
    if mode == "align_corners":
        return index * tf.math.divide_no_nan(old - 1, size - 1)
    if mode == "pytorch_half_pixel":
        return tf.where(size > 1, (index + 0.5) / scale - 0.5, tf.zeros_like(index))
    if mode == "half_pixel_symmetric":
        adjusted = size / (scale * old)
        return old / 2 * (1 - adjusted) + (index + 0.5) / scale - 0.5
    if mode == "tf_half_pixel_for_nn":
        return (index + 0.5) / scale
    if mode == "tf_crop_and_resize" and box is not None:
        start, end = box
        middle = 0.5 * (start + end) * (old - 1)
        spread = tf.math.divide_no_nan((end - start) * (old - 1), size - 1)
        return tf.where(size > 1, start * (old - 1) + index * spread, tf.ones_like(index) * middle)
    return (index + 0.5) / scale - 0.5


def _rounded(where: Tensor, mode: str, is_first_version: bool) -> Tensor:
    if is_first_version or mode == "floor":
        return tf.floor(where)
    if mode == "ceil":
        return tf.math.ceil(where)
    return tf.math.ceil(where - 0.5) if mode == "round_prefer_floor" else tf.floor(where + 0.5)


def _linear_weights(fraction: Tensor) -> list[Tensor]:
    return [1 - fraction, fraction]


def cubic_weights(fraction: Tensor, a: float) -> list[Tensor]:
    """Return the weights of four neighbours for ``fraction`` behind the second of them."""
    return [_keys(distance, a) for distance in (1 + fraction, fraction, 1 - fraction, 2 - fraction)]


def _keys(distance: Tensor, a: float) -> Tensor:
    """Return the cubic convolution kernel (Keys, IEEE ASSP 29, 1981) at a distance of 0 to 2; beyond, zero."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return tf.where(distance <= 1, near, tf.where(distance < 2, far, tf.zeros_like(distance)))


def _smoothed(call: Call, x: Tensor, axis: int, where: Tensor, scale: Tensor) -> Tensor:
    """Return x resized with the kernel widened to the new grid where that is coarser: a product with [new, old]."""
    weights = _smooth_weights(call, where, scale, tf.shape(x)[axis])
    wide = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    product = tf.tensordot(tf.cast(weights, wide.dtype), wide, [[1], [axis]])
    back = [*range(1, axis + 1), 0, *range(axis + 1, len(x.shape))]
    return tf.cast(tf.transpose(product, back), x.dtype)


def _smooth_weights(call: Call, where: Tensor, scale: Tensor, old: Tensor) -> Tensor:
    """Return the weight of each old element for each new one, [new, old].

    What lies outside weighs nothing (``exclude_outside``), or counts for the element at the border.
    """
    is_cubic, a = call.attr_string("mode") == "cubic", call.attr_float("cubic_coeff_a", -0.75)
    narrow = tf.minimum(scale, 1.0)
    beyond = (
        0 if call.attr_int("exclude_outside") else tf.cast(tf.math.ceil((2.0 if is_cubic else 1.0) / narrow), tf.int32)
    )
    index = tf.range(-beyond, old + beyond)
    distance = tf.abs(tf.cast(index, tf.float32)[:, None] - where[None, :]) * narrow
    weights = _keys(distance, a) if is_cubic else tf.nn.relu(1 - distance)
    inside = tf.math.unsorted_segment_sum(weights, tf.clip_by_value(index, 0, old - 1), old)
    return tf.transpose(inside / tf.reduce_sum(inside, 0, keepdims=True))


def _weighted(x: Tensor, axis: int, low: Tensor, weights: Sequence[Tensor], call: Call) -> Tensor:
    """Return the weighted sum of neighbours from ``low`` on, in float32 or more."""
    wide = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    if call.attr_int("exclude_outside"):
        last = tf.cast(tf.shape(x)[axis], tf.float32) - 1
        inside = [(low + offset >= 0) & (low + offset <= last) for offset in range(len(weights))]
        weights = [tf.where(keep, weight, 0.0) for keep, weight in zip(inside, weights, strict=True)]
        total = tf.add_n(list(weights))
        weights = [weight / total for weight in weights]
    parts = [
        _pick(wide, axis, low + offset) * tf.cast(_on_axis(weight, axis, x), wide.dtype)
        for offset, weight in enumerate(weights)
    ]
    return tf.cast(tf.add_n(parts), x.dtype)


def _pick(x: Tensor, axis: int, index: Tensor) -> Tensor:
    last = tf.shape(x)[axis] - 1
    return tf.gather(x, tf.clip_by_value(tf.cast(index, tf.int32), 0, last), axis=axis)


def _on_axis(values: Tensor, axis: int, x: Tensor) -> Tensor:
    return tf.reshape(values, [-1] + [1] * (len(x.shape) - axis - 1))
