"""TensorFlow's own kernels for resizing an image, where they compute exactly what ONNX' Resize asks for.

They read an image [n, h, w, c] once, where the general way goes over it axis by axis. Bicubic is not among them: theirs
has another coefficient.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import HALVES, Call, Tensor
from isoform.hub.emitters.tf_ops.interpolation import Target, is_first_version

_HEIGHT, _WIDTH = 1, 2


def resized_image(call: Call, x: Tensor, targets: Mapping[int, Target], mode: str) -> Tensor | None:
    """Return x [n, h, w, c] resized by one kernel, or None where none computes this.

    Args:
        targets: what becomes of the axes of x that change; none of them cuts out a box.
    """
    if len(x.shape) != 4 or set(targets) != {_HEIGHT, _WIDTH} or x.dtype not in (tf.float32, *HALVES):
        return None
    if call.attr_int("antialias") or any(target.box is not None for target in targets.values()):
        return None
    kind = call.attr_string("mode", "nearest")
    sizes = tf.stack([tf.cast(targets[axis].size, tf.int32) for axis in (_HEIGHT, _WIDTH)])
    if kind in ("linear", "bilinear"):
        result = _linear(x, sizes, mode) if all(target.is_ratio for target in targets.values()) else None
    else:
        copies = kind == "nearest" and all(_copies(call, x, *each, mode) for each in targets.items())
        result = tf.raw_ops.ResizeNearestNeighbor(images=x, size=sizes) if copies else None
    return None if result is None else tf.cast(_described(result, x, targets), x.dtype)


def _linear(x: Tensor, sizes: Tensor, mode: str) -> Tensor | None:
    if mode not in ("half_pixel", "half_pixel_symmetric", "align_corners", "asymmetric"):
        return None
    return tf.raw_ops.ResizeBilinear(
        images=x, size=sizes, align_corners=mode == "align_corners", half_pixel_centers=mode.startswith("half_pixel")
    )


def _copies(call: Call, x: Tensor, axis: int, target: Target, mode: str) -> bool:
    """Tell whether every element is copied a whole number of times, so that all ways to round agree with the kernel."""
    old, scale = x.shape[axis], target.scale
    if not isinstance(scale, float) or scale < 1 or scale != int(scale):
        return False
    is_floor = mode == "asymmetric" and (call.attr_string("nearest_mode") == "floor" or is_first_version(call))
    is_centred = mode == "half_pixel" and call.attr_string("nearest_mode", "round_prefer_floor").startswith("round")
    if old is None:
        return (is_floor or is_centred) and int(scale) & (int(scale) - 1) == 0
    index = np.arange(int(old * scale), dtype=np.float32)
    read = np.floor(index * (np.float32(old) / np.float32(old * scale)))  # as the kernel computes it, in float32
    return (is_floor or is_centred) and bool((read == index // int(scale)).all())


def _described(result: Tensor, x: Tensor, targets: Mapping[int, Target]) -> Tensor:
    sizes = [size if isinstance(size, int) else None for size in (targets[axis].size for axis in (_HEIGHT, _WIDTH))]
    return tf.ensure_shape(result, [x.shape[0], *sizes, x.shape[3]])


def keeps_leading_sizes(call: Call, index: int) -> bool:
    """Tell whether the vector input ``index`` begins with the first two sizes of the image, as exporters write it."""
    value = call.node.inputs[index]
    joined = None if value is None else value.producer()
    if joined is None or joined.op_type != "Concat" or joined.inputs[0] is None:
        return False
    part = joined.inputs[0].producer()
    measured = _measured(part)
    image = call.node.inputs[0]
    if measured is None or measured.shape is None or image is None or image.shape is None:
        return False
    ours = [image.shape[0], image.shape[1] if call.node.domain == "" else image.shape[-1]]
    return [str(dim) for dim in list(measured.shape)[:2]] == [str(dim) for dim in ours] and "None" not in map(str, ours)


def _measured(node: Any) -> Any:
    """Return the value whose first two sizes ``node`` gives; None where it gives anything else."""
    if node is None or node.op_type not in ("Shape", "Slice"):
        return None
    if node.op_type == "Shape":
        start, end = (node.attributes[name].as_int() if name in node.attributes else None for name in ("start", "end"))
        return node.inputs[0] if (start or 0) == 0 and end == 2 else None
    shape = node.inputs[0].producer()
    bounds = [value and value.const_value and value.const_value.numpy().tolist() for value in node.inputs[1:3]]
    is_plain = shape is not None and shape.op_type == "Shape" and not shape.attributes and len(node.inputs) <= 4
    return shape.inputs[0] if is_plain and bounds == [[0], [2]] else None
