"""Convolutions and transposed convolutions in one to three dimensions, channels last."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import HALVES, Call, Tensor
from isoform.hub.emitters.tf_ops.layout import both_layouts, is_zero, padded, spatial_sizes, window_pads


@both_layouts("Conv")
def convolution(call: Call, x: Tensor) -> Tensor:
    """Return x [n, spatial..., c] convolved; the weight is stored as TensorFlow wants it, [spatial..., c, filters]."""
    rank, group = len(x.shape) - 2, call.attr_int("group", 1)
    strides, dilations = call.attr_ints("strides") or [1] * rank, call.attr_ints("dilations") or [1] * rank
    shape = call.node.inputs[1].shape
    kernel = call.attr_ints("kernel_shape") or list(shape[2:])
    pads = window_pads(call, x, kernel, strides, dilations)
    if (
        group > 1
        and group == x.shape[-1]
        and rank <= 2
        and len(set(strides)) == 1
        and 1 in (strides[0], max(dilations))
    ):
        result = _depthwise(call, x, group, strides, pads, dilations)
    else:
        weight = call.transposed(1, [*range(2, rank + 2), 1, 0])
        result = grouped(x, weight, group, strides, pads, dilations)
    return result if call[2] is None else tf.nn.bias_add(result, call[2]) if rank == 2 else result + call[2]


def _depthwise(
    call: Call, x: Tensor, group: int, strides: Sequence[int], pads: Any, dilations: Sequence[int]
) -> Tensor:
    def arrange(weight: Any, module: Any) -> Any:
        moved = module.transpose(weight, [*range(2, len(weight.shape)), 0, 1])  # [spatial..., filters, 1]
        height_width = [*moved.shape[:-2]] if len(moved.shape) == 4 else [1, *moved.shape[:-2]]
        return module.reshape(moved, [*height_width, group, -1])

    dtype, weight = x.dtype, call.arranged(1, "depthwise", arrange)
    if dtype in HALVES:
        x, weight = (tf.cast(each, tf.float32) for each in (x, weight))
    return tf.cast(_depthwise_product(x, weight, strides, pads, dilations), dtype)


def _depthwise_product(
    x: Tensor, weight: Tensor, strides: Sequence[int], pads: Any, dilations: Sequence[int]
) -> Tensor:
    if len(x.shape) == 3:
        square, dilations = [strides[0]] * 2, [1, *dilations]
        wide = tf.expand_dims(padded(x, pads), 1)
        return tf.squeeze(tf.nn.depthwise_conv2d(wide, weight, [1, *square, 1], "VALID", dilations=dilations), 1)
    padding, image = _padding(x, weight, strides, pads, dilations)
    if not isinstance(padding, str):
        padding, image = "VALID", padded(x, pads)  # this kernel knows no other padding than TensorFlow's words
    return tf.nn.depthwise_conv2d(image, weight, [1, *strides, 1], padding, dilations=list(dilations))


def grouped(
    x: Tensor, weight: Tensor, group: int, strides: Sequence[int], pads: Any, dilations: Sequence[int]
) -> Tensor:
    """Return x [n, spatial..., c] convolved with a weight [spatial..., c / groups, filters], group by group."""
    if x.dtype in HALVES:
        single, kernel = (tf.cast(each, tf.float32) for each in (x, weight))
        return tf.cast(grouped(single, kernel, group, strides, pads, dilations), x.dtype)
    if group == 1:
        return _plain(x, weight, strides, pads, dilations)
    parts = zip(tf.split(x, group, -1), tf.split(weight, group, -1), strict=True)
    return tf.concat([_plain(one, kernel, strides, pads, dilations) for one, kernel in parts], -1)


def _plain(x: Tensor, weight: Tensor, strides: Sequence[int], pads: Any, dilations: Sequence[int]) -> Tensor:
    rank = len(strides)
    if rank == 2:
        padding, x = _padding(x, weight, strides, pads, dilations)
        return tf.nn.conv2d(x, weight, strides, padding, dilations=dilations)
    x = padded(x, pads)
    if rank == 1:
        wide = tf.nn.conv2d(
            tf.expand_dims(x, 1), tf.expand_dims(weight, 0), [1, *strides], "VALID", dilations=[1, *dilations]
        )
        return tf.squeeze(wide, 1)
    return tf.nn.conv3d(x, _dilated(weight, dilations), [1, *strides, 1], "VALID")


def _padding(
    x: Tensor, weight: Tensor, strides: Sequence[int], pads: Any, dilations: Sequence[int]
) -> tuple[Any, Tensor]:
    """Return TensorFlow's own word for the padding where it has one, else the padding itself."""
    if is_zero(pads):
        return "VALID", x
    same = [((size - 1) * dilation // 2,) * 2 for size, dilation in zip(weight.shape[:2], dilations, strict=True)]
    if max(strides) == 1 and list(pads) == same and all(size % 2 for size in weight.shape[:2]):
        return "SAME", x
    if all(isinstance(side, int) and side >= 0 for pair in pads for side in pair):
        return [[0, 0], *map(list, pads), [0, 0]], x
    return "VALID", padded(x, pads)


def _dilated(weight: Tensor, dilations: Sequence[int]) -> Tensor:
    """Return the kernel with zeros between its elements, for kernels that know no dilation."""
    for axis, dilation in enumerate(dilations):
        if dilation > 1:
            size = weight.shape[axis]
            index = np.full((size - 1) * dilation + 1, size)
            index[::dilation] = np.arange(size)
            with_zero = tf.pad(weight, [[0, int(each == axis)] for each in range(len(weight.shape))])
            weight = tf.gather(with_zero, index, axis=axis)
    return weight


@both_layouts("ConvTranspose")
def transposed_convolution(call: Call, x: Tensor) -> Tensor:
    """Return x upsampled by the gradient of a convolution: computed in full, then cropped to what the pads leave."""
    rank, group = len(x.shape) - 2, call.attr_int("group", 1)
    strides, dilations = call.attr_ints("strides") or [1] * rank, call.attr_ints("dilations") or [1] * rank
    weight = _dilated(call.transposed(1, [*range(2, rank + 2), 1, 0]), dilations)
    parts = zip(tf.split(x, group, -1), tf.split(weight, group, -1), strict=True)
    full = tf.concat([_full_transposed(one, kernel, strides) for one, kernel in parts], -1)
    result = _crop(full, _transposed_pads(call, x, list(weight.shape[:rank]), strides))
    return result if call[2] is None else result + call[2]


def _full_transposed(x: Tensor, weight: Tensor, strides: Sequence[int]) -> Tensor:
    rank = len(strides)
    sizes = spatial_sizes(x)
    spatial = [(size - 1) * stride + width for size, stride, width in zip(sizes, strides, weight.shape, strict=False)]
    if rank == 1:
        shape = tf.stack([tf.shape(x)[0], 1, *spatial, weight.shape[-2]])
        wide = tf.nn.conv2d_transpose(tf.expand_dims(x, 1), tf.expand_dims(weight, 0), shape, [1, *strides], "VALID")
        return tf.squeeze(wide, 1)
    shape = tf.stack([tf.shape(x)[0], *spatial, weight.shape[-2]])
    function = tf.nn.conv2d_transpose if rank == 2 else tf.nn.conv3d_transpose
    return function(x, weight, shape, list(strides), "VALID")


def _transposed_pads(call: Call, x: Tensor, reach: Sequence[int], strides: Sequence[int]) -> list[tuple[Any, Any]]:
    """Return how much to crop before and after each spatial axis; less than zero means to extend by zeros."""
    rank = len(strides)
    beyond = call.attr_ints("output_padding") or [0] * rank
    wanted, mode = call.attr_ints("output_shape"), call.attr_string("auto_pad", "NOTSET")
    if wanted is None and mode not in ("SAME_UPPER", "SAME_LOWER"):
        pads = (call.attr_ints("pads") if mode == "NOTSET" else None) or [0] * (2 * rank)
        return [(pads[axis], pads[rank + axis] - beyond[axis]) for axis in range(rank)]
    crops = []
    for axis, size in enumerate(spatial_sizes(x)):
        target = wanted[-rank:][axis] if wanted is not None else size * strides[axis]
        total = (size - 1) * strides[axis] + beyond[axis] + reach[axis] - target
        if isinstance(total, int) and total < 0:
            crops.append((0, total - beyond[axis]))
            continue
        small, large = total // 2, total - total // 2
        before = small if mode == "SAME_UPPER" or (wanted is not None and mode != "SAME_LOWER") else large
        crops.append((before, total - before - beyond[axis]))
    return crops


def _crop(x: Tensor, crops: Sequence[tuple[Any, Any]]) -> Tensor:
    cuts: list[slice] = [slice(None)]
    extend = [(0, 0)]
    for size, (before, after) in zip(spatial_sizes(x), crops, strict=True):
        is_short = isinstance(after, int) and after < 0
        cuts.append(slice(before, size if is_short else size - after))
        extend.append((0, -after if is_short else 0))
    x = x[tuple(cuts)]
    return tf.pad(x, [*extend, (0, 0)]) if any(after for _, after in extend) else x
