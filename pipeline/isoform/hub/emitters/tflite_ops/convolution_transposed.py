"""Transposed convolution of images and volumes, channels last: TFLite's without padding, then cut as is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import concat, shape_of, strided_slice

_MOST_GROUPS, _IMAGE_RANK = 16, 4


@dataclass(frozen=True)
class Axis:
    """One axis of the image: ``(size - 1) * stride + kernel`` elements, of which some are cut, or zeros put after.

    Attributes:
        first, last: how many are cut. more: how many zeros are put after.
    """

    size: int | None
    kernel: int
    stride: int
    more: int
    first: int
    last: int

    @property
    def produced(self) -> int | None:
        return None if self.size is None else (self.size - 1) * self.stride + self.kernel


@op("ConvTranspose", domain=CHANNELS_LAST_DOMAIN)
def conv_transpose(call: Call) -> Tensor:
    """Return the transposed convolution; groups one by one."""
    require_dtype(call, call[0], FLOATS)
    group, dilations = call.int("group", 1), call.ints("dilations") or [1] * (len(call[0].shape) - 2)
    if group > _MOST_GROUPS or (max(dilations) > 1 and call.array(1) is None):
        raise call.refusal(f"dilated computed weights, or more than {_MOST_GROUPS} groups")
    known = call.array(1)
    shape = call[1].shape if known is None else known.shape
    filters, *reach = (int(size) for size in shape[1:] if size is not None)
    if len(reach) != len(dilations):
        raise call.refusal("weights of dynamic sizes")
    if known is not None and max(dilations) > 1:
        known = _dilated(known, dilations)
    axes = axes_of(call, [(size - 1) * step + 1 for size, step in zip(reach, dilations, strict=True)])
    sizes = produced_shape(call, axes, filters)
    parts = list(zip(_images(call, group), _kernels(call, known, group), strict=True))
    has_room = not any(axis.more for axis in axes)
    bias = call.get(2) if group == 1 and has_room else None
    found = [_plain(call, x, weight, axes, sizes, bias) for x, weight in parts]
    last = len(axes) + 1
    result = found[0] if group == 1 else concat(call, found, last, [*found[0].shape[:last], filters * group])
    result = cut(call, _extended(call, result, axes), axes)
    added = call.get(2)
    return result if bias is not None or added is None else add(call, result, added)


def _extended(call: Call, x: Tensor, axes: list[Axis]) -> Tensor:
    """Return x with zeros after it: XNNPACK forgets what an output shape adds once the input is resized."""
    if not any(axis.more for axis in axes):
        return x
    sizes = [None if size is None else size + axis.more for size, axis in zip(x.shape[1:-1], axes, strict=True)]
    table = call.constant([(0, 0), *((0, axis.more) for axis in axes), (0, 0)])
    return call.make(Code.PAD, [x, table], [x.shape[0], *sizes, x.shape[-1]], schema.PadOptionsT())


def axes_of(call: Call, kernel: Sequence[int]) -> list[Axis]:
    count = len(kernel)
    strides = call.ints("strides") or [1] * count
    more = call.ints("output_padding") or [0] * count
    wanted = call.ints("output_shape")
    mode, pads = call.string("auto_pad", "NOTSET"), call.ints("pads") or [0] * (2 * count)
    axes = []
    for place, (size, reach, stride) in enumerate(zip(call[0].shape[1:-1], kernel, strides, strict=True)):
        if wanted is None and not mode.startswith("SAME"):
            axes.append(_axis(call, size, reach, stride, more[place], pads[place], pads[place + count]))
            continue
        if wanted is not None and size is None:
            raise call.refusal("output_shape of an image whose size is dynamic")
        missing = reach - stride if wanted is None else (int(size or 0) - 1) * stride + reach - wanted[place]
        total = missing + more[place]
        smaller, larger = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        first, last = (smaller, larger) if mode == "SAME_UPPER" else (larger, smaller)
        axes.append(_axis(call, size, reach, stride, more[place] + max(-total, 0), first, last))
    return axes


def _axis(call: Call, size: int | None, kernel: int, stride: int, more: int, first: int, last: int) -> Axis:
    """Return the axis; what output_padding adds takes back what is cut at the end."""
    if min(first, last) < 0:
        raise call.refusal("negative padding")
    return Axis(size, kernel, stride, max(more - last, 0), first, max(last - more, 0))


def produced_shape(call: Call, axes: list[Axis], filters: int) -> Tensor:
    """Return the sizes of what TFLite makes of one group, those that are dynamic counted at run time."""
    batch = call[0].shape[0]
    if batch is not None and all(axis.size is not None for axis in axes):
        return call.constant([batch, *(axis.produced for axis in axes), filters])
    whole = shape_of(call, call[0])
    parts = [strided_slice(call, whole, [0], [1], [1], [1])]
    for place, axis in enumerate(axes, start=1):
        if axis.size is not None:
            parts.append(call.constant([axis.produced]))
        else:
            size = strided_slice(call, whole, [place], [place + 1], [1], [1])
            parts.append(add(call, mul(call, size, axis.stride), axis.kernel - axis.stride))
    return concat(call, [*parts, call.constant([filters])], 0, [len(axes) + 2])


def _dilated(kernel: Array, dilations: Sequence[int]) -> Array:
    """Return the kernel with zeros between its elements."""
    sizes = [(size - 1) * step + 1 for size, step in zip(kernel.shape[2:], dilations, strict=True)]
    wide = np.zeros((*kernel.shape[:2], *sizes), kernel.dtype)
    wide[(slice(None), slice(None), *(slice(None, None, step) for step in dilations))] = kernel
    return wide


def _images(call: Call, group: int) -> list[Tensor]:
    """Return each group's part of the image."""
    return [call[0]] if group == 1 else _parted(call, call[0], len(call[0].shape) - 1, group)


def _kernels(call: Call, known: Array | None, group: int) -> list[Tensor]:
    """Return each group's weights: [filters, height, width, channels] or [depth, height, width, filters, channels]."""
    value = call.node.inputs[1]
    order = [1, 2, 3, 0] if len(call[0].shape) == _IMAGE_RANK else [2, 3, 4, 1, 0]
    name = str(value.name if value is not None else "kernel")
    if known is not None:
        return [call.graph.constant(part.transpose(order), name) for part in np.split(known, group)]
    shape = [call[1].shape[axis] for axis in order]
    moved = call.make(Code.TRANSPOSE, [call[1], call.constant(order)], shape, schema.TransposeOptionsT())
    return [moved] if group == 1 else _parted(call, moved, len(order) - 1, group)


def _parted(call: Call, x: Tensor, axis: int, count: int) -> list[Tensor]:
    """Return equal parts of x along its last axis."""
    shape = (*x.shape[:axis], int(x.shape[axis] or 0) // count)
    parts = [call.graph.tensor(f"{call.node.name}/group_{place}", "float32", shape) for place in range(count)]
    options = schema.SplitOptionsT()
    options.numSplits = count
    call.graph.add(Code.SPLIT, [call.constant(axis), x], parts, options)
    return parts


def _plain(call: Call, x: Tensor, kernel: Tensor, axes: list[Axis], sizes: Tensor, bias: Tensor | None) -> Tensor:
    if len(axes) > 2:
        return _volume(call, x, kernel, axes, sizes, bias)
    options = schema.TransposeConvOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH, options.strideW = (axis.stride for axis in axes)
    shape = [x.shape[0], *(axis.produced for axis in axes), kernel.shape[0]]
    inputs = [sizes, kernel, x] if bias is None else [sizes, kernel, x, bias]
    return call.make(Code.TRANSPOSE_CONV, inputs, shape, options, "float32")


def _volume(call: Call, x: Tensor, kernel: Tensor, axes: list[Axis], sizes: Tensor, bias: Tensor | None) -> Tensor:
    options = schema.Conv3DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideD, options.strideH, options.strideW = (axis.stride for axis in axes)
    options.dilationDFactor = options.dilationHFactor = options.dilationWFactor = 1
    shape = [x.shape[0], *(axis.produced for axis in axes), kernel.shape[3]]
    found = call.make(Code.CONV_3D_TRANSPOSE, [sizes, kernel, x], shape, options, "float32")
    return found if bias is None else add(call, found, bias)


def cut(call: Call, x: Tensor, axes: list[Axis]) -> Tensor:
    if not any(axis.first or axis.last for axis in axes):
        return x
    begin, end = [0, *(axis.first for axis in axes), 0], [0, *(-axis.last for axis in axes), 0]
    open_ends = {place for place, last in enumerate(end) if last == 0}
    return strided_slice(call, x, begin, end, [1] * len(begin), call.shape, open_ends)
