"""Resize and Upsample: sizes or scales, known or computed, for one axis after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.interpolation import Target, along, is_first_version
from isoform.hub.emitters.tf_ops.resize_image import keeps_leading_sizes, resized_image

Numbers = Sequence[Any]
"""Numbers where they are known, else scalar tensors."""


_ONTO_CHANNELS_LAST = (0, 3, 1, 2)


@op("Upsample")
def upsample(call: Call) -> Tensor:
    x = call[0]
    scales = call.attr_floats("scales") or _numbers(call, 1, float, len(x.shape))
    for axis, scale in enumerate(scales):
        target = Target(_floor(_size(x, axis), scale), scale)
        x = x if _is_same(x, axis, target) else along(call, x, axis, target, "asymmetric")
    return x


@op("Resize", since=10)
def resize(call: Call) -> Tensor:
    """Return x with new sizes, given as such or as scales."""
    return _resized(call, call[0], range(len(call[0].shape)))


@op("Resize", domain=CHANNELS_LAST_DOMAIN)
def resize_channels_last(call: Call) -> Tensor:
    """Return x [n, h, w, c] with new sizes, which are those of [n, c, h, w]."""
    return _resized(call, call[0], _ONTO_CHANNELS_LAST)


def _resized(call: Call, x: Tensor, places: Sequence[int]) -> Tensor:
    """Return x resized; ``places`` tells where each axis that ONNX counts stands in x."""
    mode = "half_pixel" if not is_first_version(call) else "asymmetric"
    mode = call.attr_string("coordinate_transformation_mode", mode)
    targets = {axis: each for axis, each in _targets(call, x, mode, places).items() if not _is_same(x, axis, each)}
    by_kernel = resized_image(call, x, targets, mode) if call.node.domain == CHANNELS_LAST_DOMAIN else None
    if by_kernel is not None:
        return by_kernel
    for axis, target in targets.items():
        x = along(call, x, axis, target, mode)
    return x


def _is_same(x: Tensor, axis: int, target: Target) -> bool:
    if target.box is not None or not isinstance(target.scale, float) or target.scale != 1:
        return False
    return target.size is None or (isinstance(target.size, int) and target.size == x.shape[axis])


def _targets(call: Call, x: Tensor, mode: str, places: Sequence[int]) -> dict[int, Target]:
    """Return what becomes of each axis of x that is resized; a size of None stays what it is."""
    axes = [axis % len(x.shape) for axis in call.attr_ints("axes") or range(len(x.shape))]
    olds = [_size(x, places[axis]) for axis in axes]
    boxes: Sequence[Any] = [None] * len(axes)
    if mode == "tf_crop_and_resize":
        region = _numbers(call, 1, float, 2 * len(axes))
        boxes = list(zip(region[: len(axes)], region[len(axes) :], strict=True))
    if call.has(3):
        found = _by_sizes(call, axes, olds)
    else:
        scales = _numbers(call, 1 if is_first_version(call) else 2, float, len(axes))
        found = [(_floor(old, scale), scale, _is_whole(old, scale)) for old, scale in zip(olds, scales, strict=True)]
    if mode != "tf_crop_and_resize":
        found = [(None, 1.0, True) if _is_one(scale) else (size, scale, exact) for size, scale, exact in found]
    return {places[axis]: Target(*each, box) for axis, each, box in zip(axes, found, boxes, strict=True)}


def _is_one(scale: Any) -> bool:
    return isinstance(scale, float) and scale == 1


def _by_sizes(call: Call, axes: Sequence[int], olds: Numbers) -> list[tuple[Any, Any, bool]]:
    """Return (size, scale, whether that is their ratio) of each axis."""
    fitted = _fitted(call, _numbers(call, 3, int, len(axes)), olds)
    is_stretched = call.attr_string("keep_aspect_ratio_policy", "stretch") == "stretch"
    found = [(size, scale, is_stretched) for size, scale in fitted]
    if is_stretched and list(axes[:2]) == [0, 1] and keeps_leading_sizes(call, 3):
        found[:2] = [(None, 1.0, True)] * 2
    return found


def _is_whole(old: Any, scale: Any) -> bool:
    """Tell whether old x scale is known to be a whole number, so that nothing is cut off."""
    if not isinstance(scale, float):
        return False
    return scale == int(scale) if not isinstance(old, int) else old * scale == int(old * scale)


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
