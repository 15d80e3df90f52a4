"""Pooling that TFLite has no operator for: in three dimensions, dilated, with places, of powers; axis by axis.

The largest element of a window is the largest of its rows' largest; a mean is a product with known weights along each
axis. Sizes of the image have to be known; that of the batch need not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, binary, mul, reduce, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.gathering import coordinates
from isoform.hub.emitters.tflite_ops.moving import cast, to_shape
from isoform.hub.emitters.tflite_ops.slicing import take

_LARGEST_WEIGHTS = 1 << 20


@dataclass(frozen=True)
class Row:
    """The windows along one axis.

    Attributes:
        places: of each element of each window [windows, kernel]; outside the axis where there is padding.
        end: where the padding ends that the graph asks for.
    """

    axis: int
    size: int
    places: Array
    begin: int
    end: int

    @property
    def inside(self) -> Array:
        return (self.places >= 0) & (self.places < self.size)

    def weights(self, *, counts_padding: bool) -> Array:
        """Return the share of each element of the axis in each window's mean [windows, size]."""
        counted = (self.places >= self.begin) & (self.places < self.end) if counts_padding else self.inside
        return self.sums() / counted.sum(1, keepdims=True)

    def sums(self) -> Array:
        """Return one for each element of the axis that is in a window [windows, size]."""
        table = np.zeros((len(self.places), self.size))
        windows, elements = np.nonzero(self.inside)
        table[windows, self.places[windows, elements]] = 1
        return table


def rows_of(call: Call, axes: Sequence[int]) -> list[Row]:
    """Return the windows that the node's attributes describe, along the axes of the image."""
    kernel = call.ints("kernel_shape") or []
    count = len(kernel)
    strides, dilations = (call.ints(name) or [1] * count for name in ("strides", "dilations"))
    pads, mode = call.ints("pads") or [0] * (2 * count), call.string("auto_pad", "NOTSET")
    rows = []
    for place, axis in enumerate(axes):
        size, windows = call[0].shape[axis], call.shape[axis]
        if size is None or windows is None:
            raise call.refusal("an image whose size is dynamic")
        reach = (kernel[place] - 1) * dilations[place] + 1
        before, after = pads[place], pads[place + count]
        if mode != "NOTSET":
            missing = max((windows - 1) * strides[place] + reach - size, 0) if mode.startswith("SAME") else 0
            before = missing // 2 if mode == "SAME_UPPER" else missing - missing // 2
            after = missing - before
        starts = np.arange(windows)[:, None] * strides[place] - before
        places = starts + np.arange(kernel[place]) * dilations[place]
        rows.append(Row(axis, size, places, -before, size + after))
    return rows


def largest(call: Call, axes: Sequence[int]) -> Tensor:
    """Return the largest element of each window."""
    x = call[0]
    require_dtype(call, x, ("float32", "int8", "uint8"))
    for row in rows_of(call, axes):
        places = _kept_inside(call, row)
        taken = take(call, x, places.reshape(-1), row.axis)
        split = [*x.shape[: row.axis], *places.shape, *x.shape[row.axis + 1 :]]
        windows = _reshaped(call, taken, split)
        x = reduce(call, Code.REDUCE_MAX, windows, [row.axis + 1], keeps_axes=False)
    return x


def _kept_inside(call: Call, row: Row) -> Array:
    """Return the places, each that is in the padding replaced by one of its window that is not."""
    if not row.inside.any(1).all():
        raise call.refusal("windows without elements")
    first = np.take_along_axis(row.places, row.inside.argmax(1)[:, None], 1)
    return np.where(row.inside, row.places, first)


def means(call: Call, axes: Sequence[int]) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    x, counts_padding = call[0], bool(call.int("count_include_pad", 0))
    for row in rows_of(call, axes):
        x = along(call, x, row.weights(counts_padding=counts_padding), row.axis)
    return x


def along(call: Call, x: Tensor, weights: Array, axis: int) -> Tensor:
    """Return x with weights [new size, size] multiplied along an axis."""
    if weights.size > _LARGEST_WEIGHTS:
        raise call.refusal(f"{weights.shape[0]} from {weights.shape[1]} elements along an axis")
    perm = list(range(len(x.shape)))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    order, shape = call.constant(perm), [x.shape[place] for place in perm]
    is_last = perm == sorted(perm)
    moved = x if is_last else call.make(Code.TRANSPOSE, [x, order], shape, schema.TransposeOptionsT())
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    shape[-1] = weights.shape[0]
    found = call.make(Code.FULLY_CONNECTED, [moved, call.constant(weights, "float32"), None], shape, options)
    if is_last:
        return found
    return call.make(Code.TRANSPOSE, [found, order], [shape[place] for place in perm], schema.TransposeOptionsT())


@op("MaxPool")
def max_pool(call: Call) -> list[Tensor]:
    """Return the largest element of each window, and where it is in the flattened x."""
    axes = range(2, len(call[0].shape))
    places = call.node.outputs[1] if len(call.node.outputs) > 1 else None
    if places is None or not (list(places.uses()) or places.is_graph_output()):
        return [largest(call, axes)]
    return list(_largest_and_places(call, rows_of(call, axes)))


def _largest_and_places(call: Call, rows: list[Row]) -> Iterator[Tensor]:
    """Yield the largest element of each window, then its place: int64, in rows or, as asked, in columns."""
    x, channels = call[0], call[0].shape[1]
    require_dtype(call, x, FLOATS)
    if channels is None:
        raise call.refusal("a dynamic number of channels")
    sizes, total = [row.size for row in rows], math.prod(row.size for row in rows)
    inner = np.zeros((1, 1), np.int64)
    stored = np.zeros((1, 1), np.int64)
    for place, row in enumerate(rows):
        kept = _kept_inside(call, row)
        by_column = call.int("storage_order", 0)
        stride = math.prod(sizes[:place]) if by_column else math.prod(sizes[place + 1 :])
        inner = _crossed(inner, kept * math.prod(sizes[place + 1 :]))
        stored = _crossed(stored, kept * stride)
    flat = _reshaped(call, x, [x.shape[0], channels, total])
    windows, kernel = inner.shape
    taken = _reshaped(call, take(call, flat, inner.reshape(-1), 2), [x.shape[0], channels, windows, kernel])
    yield _reshaped(call, reduce(call, Code.REDUCE_MAX, taken, [3], keeps_axes=False), list(call.shape))
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT32
    best = call.make(Code.ARG_MAX, [taken, call.constant(3)], [x.shape[0], channels, windows], options, "int32")
    rowwise = add(call, best, call.constant(np.arange(windows) * kernel))
    table = call.constant(stored.reshape(-1))
    within = call.make(Code.GATHER, [table, rowwise], rowwise.shape, schema.GatherOptionsT())
    channel = mul(call, coordinates(call, within, 1), total)
    batch = mul(call, coordinates(call, within, 0), channels * total)
    yield cast(call, _reshaped(call, add(call, add(call, within, channel), batch), list(call.shape)), "int64")


def _crossed(one: Array, other: Array) -> Array:
    """Return the sums of every window of one with every window of the other, element by element, rows first."""
    sums = one[:, None, :, None] + other[None, :, None, :]
    return sums.reshape(len(one) * len(other), -1)


@op("AveragePool", since=7)
def average_pool(call: Call) -> Tensor:
    return means(call, range(2, len(call[0].shape)))


@op("LpPool", since=2)
def lp_pool(call: Call) -> Tensor:
    """Return the p-norm of each window."""
    require_dtype(call, call[0], FLOATS)
    x, p = unary(call, Code.ABS, call[0]), float(call.int("p", 2))
    x = binary(call, Code.POW, x, p)
    for row in rows_of(call, range(2, len(x.shape))):
        x = along(call, x, row.sums(), row.axis)
    return binary(call, Code.POW, x, 1 / p)


def _reshaped(call: Call, x: Tensor, shape: Sequence[int | None]) -> Tensor:
    if shape.count(None) > 1:
        raise call.refusal("more than one dynamic size")
    return to_shape(call, x, [-1 if size is None else size for size in shape], shape)
