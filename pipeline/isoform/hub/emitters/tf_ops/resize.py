"""Resize and Upsample: sizes or scales, known or computed, for one axis after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.interpolation import Target, along

Numbers = Sequence[Any]
"""Numbers where they are known, else scalar tensors."""


@op("Upsample")
def upsample(call: Call) -> Tensor:
    x = call[0]
    scales = call.attr_floats("scales") or _numbers(call, 1, float, len(x.shape))
    for axis, scale in enumerate(scales):
        x = _resized(call, x, axis, Target(_floor(_size(x, axis), scale), scale), "asymmetric")
    return x


@op("Resize", since=10)
def resize(call: Call) -> Tensor:
    """Return x with new sizes, given as such or as scales."""
    x, mode = call[0], _coordinates(call)
    for axis, target in _targets(call, x, mode).items():
        x = _resized(call, x, axis, target, mode)
    return x


def _resized(call: Call, x: Tensor, axis: int, target: Target, mode: str) -> Tensor:
    is_known = isinstance(target.size, int) and isinstance(target.scale, float)
    if is_known and target.box is None and target.size == x.shape[axis] and target.scale == 1:
        return x
    if not isinstance(target.scale, float) or target.scale != 1 or target.box is not None:
        return along(call, x, axis, target, mode)
    return x


def _coordinates(call: Call) -> str:
    return "asymmetric" if call.opset == 10 else call.attr_string("coordinate_transformation_mode", "half_pixel")


def _targets(call: Call, x: Tensor, mode: str) -> dict[int, Target]:
    """Return what becomes of each axis that is resized."""
    axes = [axis % len(x.shape) for axis in call.attr_ints("axes") or range(len(x.shape))]
    olds = [_size(x, axis) for axis in axes]
    if call.has(3):
        sizes = _numbers(call, 3, int, len(axes))
        pairs = _fitted(call, sizes, olds)
    else:
        scales = _numbers(call, 1 if call.opset == 10 else 2, float, len(axes))
        pairs = [(_floor(old, scale), scale) for old, scale in zip(olds, scales, strict=True)]
    boxes: Sequence[Any] = [None] * len(axes)
    if mode == "tf_crop_and_resize":
        region = _numbers(call, 1, float, 2 * len(axes))
        boxes = list(zip(region[: len(axes)], region[len(axes) :], strict=True))
    return {axis: Target(*pair, box) for axis, pair, box in zip(axes, pairs, boxes, strict=True)}


def _fitted(call: Call, sizes: Numbers, olds: Numbers) -> list[tuple[Any, Any]]:
    """Return (size, scale) of each axis, with one scale for all where the aspect ratio is to be kept."""
    scales = [_ratio(size, old) for size, old in zip(sizes, olds, strict=True)]
    policy = call.attr_string("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return list(zip(sizes, scales, strict=True))
    if all(isinstance(scale, float) for scale in scales):
        scale = (min if policy == "not_larger" else max)(scales)
    else:
        scale = (tf.reduce_min if policy == "not_larger" else tf.reduce_max)(tf.stack(scales))
    return [(_floor(old, scale, 0.5), scale) for old in olds]


def _ratio(size: Any, old: Any) -> Any:
    if isinstance(size, int) and isinstance(old, int):
        return size / old
    return tf.cast(size, tf.float32) / tf.cast(old, tf.float32)


def _floor(size: Any, scale: Any, offset: float = 0.0) -> Any:
    """Return the integer below size x scale + offset."""
    if isinstance(size, int) and isinstance(scale, float):
        return int(np.floor(size * scale + offset))
    return tf.cast(tf.floor(tf.cast(size, tf.float32) * scale + offset), tf.int32)


def _size(x: Tensor, axis: int) -> Any:
    return tf.shape(x)[axis] if x.shape[axis] is None else int(x.shape[axis])


def _numbers(call: Call, index: int, kind: type, count: int) -> Numbers:
    """Return the elements of a vector input; those of a size that is joined from parts may be known one by one."""
    known = call.constant(index)
    if known is not None:
        return [kind(number) for number in known]
    return [
        part if number is None else kind(number)
        for part, number in zip(*_parts(tf.ensure_shape(call[index], [count]), count), strict=True)
    ]


def _parts(vector: Tensor, count: int) -> tuple[Sequence[Tensor], Sequence[Any]]:
    partly = tf.get_static_value(vector, partial=True)
    return tf.unstack(vector), [None] * count if partly is None else list(partly)
