"""Parts of a tensor."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, div, maximum, minimum
from isoform.hub.emitters.tflite_ops.axes import marks, spread
from isoform.hub.emitters.tflite_ops.call import Call, Code, dtype_of, op, sizes
from isoform.hub.emitters.tflite_ops.moving import INT32_MAX, as_int32, concat, shape_of, sizes_of, strided_slice

_EVENLY_SPLIT = ("float32", "int32", "int8", "uint8")
"""What LiteRT's kernel of SPLIT knows."""


@op("Slice")
def slice_(call: Call) -> Tensor:
    """Return the part between the bounds; the axes that are not named stay whole."""
    if any(call.has(place) and call.array(place) is None for place in (3, 4)):
        return _all_computed(call)
    axes, steps = call.ints_of("axes", 3), call.ints_of("steps", 4)
    if "starts" not in call.node.attributes and (call.array(1) is None or call.array(2) is None):
        return _computed_slice(call, axes, steps)
    starts, ends = call.ints_of("starts", 1) or [], call.ints_of("ends", 2) or []
    rank = len(call[0].shape)
    axes = [axis % rank for axis in axes] if axes is not None else list(range(len(starts)))
    begin, end, step, open_ends = [0] * rank, [0] * rank, [1] * rank, set(range(rank)) - set(axes)
    for axis, first, last, stride in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        begin[axis], end[axis], step[axis] = (
            int(np.clip(value, -INT32_MAX, INT32_MAX)) for value in (first, last, stride)
        )
        if (stride > 0 and last >= INT32_MAX) or (stride < 0 and last <= -INT32_MAX):
            open_ends.add(axis)
    return strided_slice(call, call[0], begin, end, step, call.shape, open_ends)


def _computed_slice(call: Call, axes: list[int] | None, steps: list[int] | None) -> Tensor:
    """Return the part between bounds that are computed while the model runs."""
    rank = len(call[0].shape)
    if axes is None:
        count = call[1].shape[0]
        if count is None:
            raise call.refusal("a number of axes that is not known")
        axes = list(range(count))
    axes = [axis % rank for axis in axes]
    step = [1] * rank
    for axis, stride in zip(axes, steps or [1] * len(axes), strict=True):
        step[axis] = stride
    begin, end = (_bounds(call, index, axes, rank) for index in (1, 2))
    options = schema.StridedSliceOptionsT()
    options.beginMask = options.endMask = sum(1 << axis for axis in range(rank) if axis not in axes)
    return call.make(Code.STRIDED_SLICE, [call[0], begin, end, call.constant(step)], call.shape, options)


def _all_computed(call: Call) -> Tensor:
    """Return the part whose axes or steps are computed while the model runs, too."""
    x, rank = call[0], len(call[0].shape)
    bounds = [_narrowed(call, index) for index in (1, 2)]
    if call.has(3):
        marked = marks(call, 3, rank)
    elif call[1].shape[0] is None:
        raise call.refusal("a number of axes that is not known")
    else:
        marked = call.constant(np.eye(rank)[: call[1].shape[0]])
    begin, end = spread(call, marked, bounds[0], 0), spread(call, marked, bounds[1], shape_of(call, x))
    step = spread(call, marked, _narrowed(call, 4), 1) if call.has(4) else call.constant([1] * rank)
    return call.make(Code.STRIDED_SLICE, [x, begin, end, step], [None] * rank, schema.StridedSliceOptionsT())


def _narrowed(call: Call, index: int) -> Tensor:
    """Return bounds as int32; those beyond it are beyond every axis, too."""
    value = call.node.inputs[index]
    if value in call.scope.deferred:
        return sizes_of(call, index)
    given = call[index]
    if given.array is None and given.dtype == "int64":
        given = maximum(call, minimum(call, given, INT32_MAX), -INT32_MAX)
    return as_int32(call, given)


def _bounds(call: Call, index: int, axes: list[int], rank: int) -> Tensor:
    """Return one bound for every axis as int32; those of axes that stay whole are masked."""
    given, known = _narrowed(call, index), call.array(index)
    if known is not None:
        bounds = dict(zip(axes, np.clip(known.reshape(-1), -INT32_MAX, INT32_MAX), strict=True))
        return call.constant([bounds.get(axis, 0) for axis in range(rank)])
    parts = [_bound(call, given, axes.index(axis)) if axis in axes else call.constant([0]) for axis in range(rank)]
    return concat(call, parts, 0, [rank]) if rank > 1 else parts[0]


def _bound(call: Call, bounds: Tensor, place: int) -> Tensor:
    return bounds if bounds.shape == (1,) else strided_slice(call, bounds, [place], [place + 1], [1], [1])


@op("Split", since=2)
def split(call: Call) -> list[Tensor]:
    """Return the parts; without given sizes they are equal, the last one smaller if need be.

    XNNPACK takes equal parts as SPLIT, and no SPLIT_V.
    """
    axis = call.int("axis", 0) % len(call[0].shape)
    count = len(call.node.outputs)
    outputs = [
        call.graph.tensor(str(value.name), dtype_of(value, call), sizes(value, call)) for value in call.node.outputs
    ]
    lengths, place = _lengths(call, axis, count), call.constant(axis)
    is_even = lengths.array is not None and len(set(lengths.array.tolist())) == 1 and -1 not in lengths.array
    if is_even and call[0].dtype in _EVENLY_SPLIT:
        even = schema.SplitOptionsT()
        even.numSplits = count
        call.graph.add(Code.SPLIT, [place, call[0]], outputs, even)
        return outputs
    options = schema.SplitVOptionsT()
    options.numSplits = count
    call.graph.add(Code.SPLIT_V, [call[0], lengths, place], outputs, options)
    return outputs


def _lengths(call: Call, axis: int, count: int) -> Tensor:
    """Return the sizes of the parts; the last one takes what is left."""
    if "split" in call.node.attributes:
        return call.constant(call.ints("split"))
    if len(call.node.inputs) > 1 and call.node.inputs[1] is not None:
        return as_int32(call, call[1])
    size = call[0].shape[axis]
    if size is not None:
        part = -(-size // count)
        return call.constant([part] * (count - 1) + [size - part * (count - 1)])
    whole = strided_slice(call, shape_of(call, call[0]), [axis], [axis + 1], [1], [1])
    rounded = div(call, add(call, whole, count - 1), count)
    return concat(call, [*[rounded] * (count - 1), call.constant([-1])], 0, [count])


def take(call: Call, x: Tensor, places: Sequence[int] | npt.NDArray[np.int64], axis: int) -> Tensor:
    """Return the elements of x at known places along an axis."""
    options = schema.GatherOptionsT()
    options.axis = axis
    shape = [*x.shape[:axis], len(places), *x.shape[axis + 1 :]]
    return call.make(Code.GATHER, [x, call.constant(places)], shape, options)
