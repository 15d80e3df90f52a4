"""Operators that move elements without computing: shapes, slices, joins, pads."""

from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

_PAD_MODES = {"constant": "CONSTANT", "reflect": "REFLECT", "edge": "edge", "wrap": "wrap"}


@op("Transpose")
def transpose(call: Call) -> Tensor:
    return tf.transpose(call[0], call.attr_ints("perm"))


@op("Reshape")
def reshape(call: Call) -> Tensor:
    """Return x in another shape; a 0 in it copies the size that stands there, unless ``allowzero``."""
    x = call[0]
    wanted = call.attr_ints("shape") if call.opset < 5 else call.constant(1)
    if wanted is None:
        return tf.reshape(x, _without_zeros(x, call[1], call.attr_int("allowzero")))
    sizes = [int(size) for size in wanted]
    if call.attr_int("allowzero") or 0 not in sizes:
        return tf.reshape(x, sizes)
    if -1 not in sizes and sum(size == 0 and x.shape[axis] is None for axis, size in enumerate(sizes)) == 1:
        # The one size that is unknown can be left to TensorFlow, which then still knows the others.
        return tf.reshape(x, [(-1 if x.shape[a] is None else x.shape[a]) if s == 0 else s for a, s in enumerate(sizes)])
    return tf.reshape(x, tf.stack([tf.shape(x)[axis] if size == 0 else size for axis, size in enumerate(sizes)]))


def _without_zeros(x: Tensor, wanted: Tensor, is_literal: int) -> Tensor:
    if is_literal:
        return wanted
    copied = tf.cast(tf.shape(x), wanted.dtype)
    rank, count = len(x.shape), wanted.shape[0]
    copied = copied[:count] if count <= rank else tf.pad(copied, [[0, count - rank]])
    return tf.where(tf.equal(wanted, 0), copied, wanted)


@op("Flatten")
def flatten(call: Call) -> Tensor:
    x = call[0]
    axis = call.attr_int("axis", 1)
    axis += len(x.shape) if axis < 0 else 0
    left, right = x.shape[:axis], x.shape[axis:]
    if right.is_fully_defined():
        columns = right.num_elements() if len(right) else 1
        return tf.reshape(x, [-1, columns]) if columns else tf.reshape(x, [left.num_elements(), columns])
    sizes = tf.shape(x)
    return tf.reshape(x, [tf.reduce_prod(sizes[:axis]), tf.reduce_prod(sizes[axis:])])


@op("Squeeze")
def squeeze(call: Call) -> Tensor:
    return tf.squeeze(call[0], call.integers("axes", 1))


@op("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    x = call[0]
    axes = call.integers("axes", 1) or []
    rank = len(x.shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = tf.expand_dims(x, axis)
    return x


@op("Concat")
def concat(call: Call) -> Tensor:
    return tf.concat(call.inputs, call.attr_int("axis", 1))


@op("Split")
def split(call: Call) -> tuple[Tensor, ...]:
    x, axis = call[0], call.attr_int("axis")
    sizes = call.integers("split", 1)
    if sizes is not None:
        return tuple(tf.split(x, sizes, axis))
    count = call.attr_int("num_outputs", call.outputs)
    total = x.shape[axis]
    if total is None or total % count == 0:
        return tuple(tf.split(x, count, axis))
    size = -(-total // count)  # the last part is the smaller one
    return tuple(tf.split(x, [size] * (count - 1) + [total - size * (count - 1)], axis))


@op("Slice")
def cut(call: Call) -> Tensor:
    x = call[0]
    if call.opset < 10:
        starts, ends, axes, steps = call.attr_ints("starts"), call.attr_ints("ends"), call.attr_ints("axes"), None
    else:
        starts, ends = (_known_or_parts(call, index) for index in (1, 2))
        axes, steps = call.integers("axes", 3), _known_or_parts(call, 4)
    assert starts is not None
    assert ends is not None
    axes = list(range(len(starts))) if axes is None else axes
    cuts: list[Any] = [slice(None)] * len(x.shape)
    for position, axis in enumerate(axes):
        step = 1 if steps is None else steps[position]
        cuts[axis] = _slice(x, axis, starts[position], ends[position], step)
    return x[tuple(cuts)]


def _known_or_parts(call: Call, index: int) -> list[Any] | None:
    """Return the integers of an input: as numbers where they are known, else as scalar tensors."""
    known = call.constant(index)
    if known is not None:
        return [int(item) for item in known]
    return None if call[index] is None else tf.unstack(call[index])


def _slice(x: Tensor, axis: int, start: Any, end: Any, step: Any) -> slice:
    """Return a slice with ONNX' bounds: those beyond the axis are drawn in, from whichever side."""
    if all(isinstance(number, int) for number in (start, end, step)):
        size = x.shape[axis]
        if size is not None:
            return slice(*_clamped(start, end, step, size), step)
        if step > 0:
            limit = np.iinfo(np.int32).max
            return slice(max(start, -limit), None if end >= limit else max(end, -limit), step)
    size = tf.shape(x, tf.int64)[axis]
    start, end, step = (tf.cast(number, tf.int64) for number in (start, end, step))
    start, end = (tf.where(number < 0, number + size, number) for number in (start, end))
    is_backward = step < 0
    start = tf.clip_by_value(start, 0, tf.where(is_backward, size - 1, size))
    end = tf.clip_by_value(end, tf.where(is_backward, tf.constant(-1, tf.int64), tf.constant(0, tf.int64)), size)
    # TensorFlow reads an end of -1 as the last element; one size further back is before the first.
    return slice(start, tf.where(is_backward & (end < 0), -size - 1, end), step)


def _clamped(start: int, end: int, step: int, size: int) -> tuple[int, int | None]:
    bounds = slice(start, end, step).indices(size)
    return bounds[0], None if step < 0 and bounds[1] < 0 else bounds[1]


@op("Expand")
def expand(call: Call) -> Tensor:
    x, shape = call[0], call[1]
    return tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x, shape.dtype), shape))


@op("Tile")
def tile(call: Call) -> Tensor:
    return tf.tile(call[0], call[1])


@op("Shape")
def shape(call: Call) -> Tensor:
    sizes = tf.shape(call[0], tf.int64)
    start, end = call.attr_int("start"), call.attr_int("end", len(call[0].shape))
    rank = len(call[0].shape)
    start, end = (max(0, min(rank, bound + rank if bound < 0 else bound)) for bound in (start, end))
    return sizes[start : max(start, end)]


@op("Size")
def size(call: Call) -> Tensor:
    return tf.size(call[0], tf.int64)


@op("ConstantOfShape")
def constant_of_shape(call: Call) -> Tensor:
    value = call.attr_tensor("value")
    return tf.fill(
        call[0], tf.constant(0.0 if value is None else value.ravel()[0], None if value is None else value.dtype)
    )


@op("Range")
def arange(call: Call) -> Tensor:
    return tf.range(*(tf.reshape(bound, []) for bound in call.inputs))


@op("EyeLike")
def eye_like(call: Call) -> Tensor:
    x = call[0]
    dtype = call.attr_dtype("dtype", ir.DataType.FLOAT) if "dtype" in call.node.attributes else x.dtype
    rows, columns = tf.shape(x)[0], tf.shape(x)[1]
    offset = call.attr_int("k")
    return tf.cast(tf.equal(tf.range(rows)[:, None] + offset, tf.range(columns)[None, :]), dtype)


@op("Trilu")
def triangle(call: Call) -> Tensor:
    """Return the upper or lower triangle from the k-th diagonal on, zero elsewhere."""
    x = call[0]
    offset = tf.constant(0, tf.int64) if call[1] is None else tf.reshape(call[1], [])
    rows = tf.range(tf.shape(x, tf.int64)[-2])[:, None]
    columns = tf.range(tf.shape(x, tf.int64)[-1])[None, :]
    keep = columns - rows >= offset if call.attr_int("upper", 1) else columns - rows <= offset
    return tf.where(keep, x, tf.zeros_like(x))


@op("Pad")
def pad(call: Call) -> Tensor:
    x = call[0]
    pads = call.attr_ints("pads") if call.opset < 11 else call.constant(1)
    amounts = call[1] if pads is None else tf.constant(np.array(pads, np.int64))
    value = call.attr_float("value") if call.opset < 11 else call[2]
    before_after = _pads_of_axes(call, x, amounts)
    x, before_after = _cropped(x, before_after)
    mode = _PAD_MODES[call.attr_string("mode", "constant")]
    if mode == "CONSTANT":
        filler = tf.zeros([], x.dtype) if value is None else tf.reshape(tf.cast(value, x.dtype), [])
        return tf.pad(x, before_after, constant_values=filler)
    return tf.pad(x, before_after, mode) if mode == "REFLECT" else _pad_by_index(x, before_after, mode)


def _pads_of_axes(call: Call, x: Tensor, amounts: Tensor) -> Tensor:
    """Return the pads as [axis, (before, after)] over all axes."""
    rank = len(x.shape)
    pairs = tf.transpose(tf.reshape(tf.cast(amounts, tf.int64), [2, -1]))
    axes = call.integers("axes", 3) if call.opset >= 18 else None
    if axes is None:
        return tf.ensure_shape(pairs, [rank, 2])
    return tf.scatter_nd([[axis % rank] for axis in axes], pairs, [rank, 2])


def _cropped(x: Tensor, pads: Tensor) -> tuple[Tensor, Tensor]:
    """Return x without what negative pads take away, and the pads that remain."""
    known = tf.get_static_value(pads)
    if known is not None and (known >= 0).all():
        return x, pads
    begin = tf.maximum(-pads[:, 0], 0)
    end = tf.shape(x, tf.int64) - tf.maximum(-pads[:, 1], 0)
    return tf.slice(x, begin, end - begin), tf.maximum(pads, 0)


def _pad_by_index(x: Tensor, pads: Tensor, mode: str) -> Tensor:
    """Return x padded with its own border or with its other side, axis by axis."""
    for axis in range(len(x.shape)):
        count = tf.shape(x, tf.int64)[axis]
        index = tf.range(-pads[axis, 0], count + pads[axis, 1])
        index = tf.clip_by_value(index, 0, count - 1) if mode == "edge" else tf.math.floormod(index, count)
        x = tf.gather(x, index, axis=axis)
    return x


@op("DepthToSpace")
def depth_to_space(call: Call) -> Tensor:
    x, block = call[0], call.attr_int("blocksize")
    n, c, h, w = _sizes(x)
    small = c // (block * block)
    if call.attr_string("mode", "DCR") == "DCR":
        x = tf.transpose(tf.reshape(x, [n, block, block, small, h, w]), [0, 3, 4, 1, 5, 2])
    else:
        x = tf.transpose(tf.reshape(x, [n, small, block, block, h, w]), [0, 1, 4, 2, 5, 3])
    return tf.reshape(x, [n, small, h * block, w * block])


@op("SpaceToDepth")
def space_to_depth(call: Call) -> Tensor:
    x, block = call[0], call.attr_int("blocksize")
    n, c, h, w = _sizes(x)
    is_by_channel = call.attr_string("mode", "DCR") == "CRD"
    order = [0, 1, 3, 5, 2, 4] if is_by_channel else [0, 3, 5, 1, 2, 4]
    x = tf.transpose(tf.reshape(x, [n, c, h // block, block, w // block, block]), order)
    return tf.reshape(x, [n, c * block * block, h // block, w // block])


def _sizes(x: Tensor) -> list[Any]:
    return [known if known is not None else tf.shape(x)[axis] for axis, known in enumerate(x.shape)]
