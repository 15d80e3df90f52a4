"""Resize and Upsample: interpolation along one axis after the other.

Coordinates follow ONNX' formulas, which TensorFlow's own image operators share only in part. Where sizes are static,
TensorFlow folds all index arithmetic away.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("Upsample")
def upsample(call: Call) -> Tensor:
    scales = call.attr_floats("scales") or list(call.needed(1, "scales"))
    x = call[0]
    for axis, scale in enumerate(scales):
        if scale != 1:
            size = _floor_size(x, axis, float(scale))
            x = _along(call, x, axis, size, float(scale), "asymmetric", None)
    return x


@op("Resize", since=10)
def resize(call: Call) -> Tensor:
    """Return x with new sizes, given as such or as scales.

    Raises:
        IsoformError: antialiasing, or sizes that are computed from the model's inputs.
    """
    if call.attr_int("antialias"):
        raise IsoformError(
            f"Resize (node {call.node.name}) antialiases.", "Export without antialias.", kind="unsupported-operator"
        )
    x, mode = call[0], _coordinates(call)
    targets = _targets(call, x)
    boxes = _boxes(call, x, list(targets)) if mode == "tf_crop_and_resize" else {}
    for axis, (size, scale) in targets.items():
        is_same = size == x.shape[axis] and scale == 1 and axis not in boxes
        if not is_same:
            x = _along(call, x, axis, size, scale, mode, boxes.get(axis))
    return x


def _coordinates(call: Call) -> str:
    return "asymmetric" if call.opset == 10 else call.attr_string("coordinate_transformation_mode", "half_pixel")


def _targets(call: Call, x: Tensor) -> dict[int, tuple[Any, Any]]:
    """Return, for each axis that is resized, its new size and the scale that the coordinates go by."""
    position = 1 if call.opset == 10 else 2
    axes = [axis % len(x.shape) for axis in call.attr_ints("axes") or range(len(x.shape))]
    if call.has(3):
        sizes = [int(size) for size in call.needed(3, "sizes")]
        olds = [_size(x, axis) for axis in axes]
        scales = [size / old for size, old in zip(sizes, olds, strict=True)]
        policy = call.attr_string("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            scale = (min if policy == "not_larger" else max)(scales)
            return {axis: (int(np.floor(scale * old + 0.5)), scale) for axis, old in zip(axes, olds, strict=True)}
        return dict(zip(axes, zip(sizes, scales, strict=True), strict=True))
    scales = [float(scale) for scale in call.needed(position, "scales")]
    return {axis: (_floor_size(x, axis, scale), scale) for axis, scale in zip(axes, scales, strict=True)}


def _boxes(call: Call, x: Tensor, axes: Sequence[int]) -> dict[int, tuple[float, float]]:
    region = [float(bound) for bound in call.needed(1, "region of interest")]
    return {axis: (region[index], region[len(axes) + index]) for index, axis in enumerate(axes)}


def _size(x: Tensor, axis: int) -> Any:
    return x.shape[axis] if x.shape[axis] is not None else tf.cast(tf.shape(x)[axis], tf.float32)


def _floor_size(x: Tensor, axis: int, scale: float) -> Any:
    size = x.shape[axis]
    if size is not None:
        return int(np.floor(size * scale))
    return tf.cast(tf.floor(tf.cast(tf.shape(x)[axis], tf.float32) * scale), tf.int32)


def _along(
    call: Call, x: Tensor, axis: int, size: Any, scale: Any, mode: str, box: tuple[float, float] | None
) -> Tensor:
    """Return x resized along ``axis``."""
    old = tf.cast(tf.shape(x)[axis], tf.float32)
    where = _positions(tf.cast(size, tf.float32), old, tf.cast(scale, tf.float32), mode, box)
    kind = call.attr_string("mode", "nearest")
    if kind == "nearest":
        rounded = _rounded(where, call.attr_string("nearest_mode", "round_prefer_floor"), call.opset)
        result = _pick(x, axis, rounded)
    elif kind == "linear":
        low = tf.floor(where)
        result = _weighted(x, axis, low, _linear_weights(where - low), call)
    else:
        low = tf.floor(where) - 1
        result = _weighted(x, axis, low, _cubic_weights(where - low - 1, call.attr_float("cubic_coeff_a", -0.75)), call)
    if box is None:
        return result
    outside = (where < 0) | (where > old - 1)
    filler = tf.cast(call.attr_float("extrapolation_value"), x.dtype)
    return tf.where(_on_axis(outside, axis, x), filler, result)


def _positions(size: Tensor, old: Tensor, scale: Tensor, mode: str, box: tuple[float, float] | None) -> Tensor:
    """Return where each new element stands in the old axis; the formulas are those of ONNX' Resize."""
    index = tf.range(size)
    if mode == "asymmetric":
        return index / scale
    if mode == "align_corners":
        return index * tf.math.divide_no_nan(old - 1, scale * old - 1)
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


def _rounded(where: Tensor, mode: str, opset: int) -> Tensor:
    if opset <= 10 or mode == "floor":
        return tf.floor(where)
    if mode == "ceil":
        return tf.math.ceil(where)
    return tf.math.ceil(where - 0.5) if mode == "round_prefer_floor" else tf.floor(where + 0.5)


def _linear_weights(fraction: Tensor) -> list[Tensor]:
    return [1 - fraction, fraction]


def _cubic_weights(fraction: Tensor, a: float) -> list[Tensor]:
    """Return Keys' four weights (IEEE ASSP 29, 1981) for ``fraction`` behind the second of four neighbours."""

    def near(t: Tensor) -> Tensor:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Tensor) -> Tensor:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(1 + fraction), near(fraction), near(1 - fraction), far(2 - fraction)]


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
