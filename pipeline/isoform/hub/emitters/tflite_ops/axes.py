"""Axes of size one, put in or taken out; which ones may be known only when the model runs, not how many."""

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, binary, compare, maximum, mul, reduce, select, sub
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import as_int32, cast, shape_of, to_shape


@op("Squeeze")
def squeeze(call: Call) -> Tensor:
    rank = len(call[0].shape)
    if call.has(1) and call.array(1) is None:
        return _without(call, call[0], marks(call, 1, rank))
    axes = call.ints_of("axes", 1)
    if axes is None:
        if None in call[0].shape:
            raise call.refusal("axes that depend on dynamic sizes")
        axes = [axis for axis, size in enumerate(call[0].shape) if size == 1]
    if not axes:
        return call[0]
    gone = sorted(axis % rank for axis in axes)
    shape = [size for axis, size in enumerate(call[0].shape) if axis not in gone]
    if is_for_reshape(call[0], shape):
        return to_shape(call, call[0], [-1 if size is None else size for size in shape], shape)
    options = schema.SqueezeOptionsT()
    options.squeezeDims = gone
    return call.make(Code.SQUEEZE, [call[0]], shape, options)


@op("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    x, shape = call[0], list(call[0].shape)
    if call.has(1) and call.array(1) is None:
        return _with(call, x)
    axes = call.ints_of("axes", 1) or []
    rank = len(shape) + len(axes)
    new = sorted(axis % rank for axis in axes)
    if is_for_reshape(x, shape):
        sizes = iter(shape)
        shape = [1 if axis in new else next(sizes) for axis in range(rank)]
        return to_shape(call, x, [-1 if size is None else size for size in shape], shape)
    for axis in new:
        shape = [*shape[:axis], 1, *shape[axis:]]
        x = call.make(Code.EXPAND_DIMS, [x, call.constant(axis)], shape, schema.ExpandDimsOptionsT())
    return x


def is_for_reshape(x: Tensor, shape: Sequence[int | None]) -> bool:
    """Return whether RESHAPE puts axes in or takes them out: XNNPACK runs that, and no operator that is made for it."""
    return x.dtype in ("float32", "int8") and shape.count(None) <= 1 and 0 not in shape


def marks(call: Call, index: int, rank: int) -> Tensor:
    """Return ones at the axes, input ``index``, and zeros elsewhere: int32 [number of axes, rank]."""
    axes = as_int32(call, call[index])
    count = axes.shape[0] if axes.shape else 1
    if count is None:
        raise call.refusal("computed axes of an unknown number")
    axes = axes if axes.shape else to_shape(call, axes, [1], [1])
    axes = binary(call, Code.FLOOR_MOD, axes, rank)
    options = schema.OneHotOptionsT()
    options.axis = -1
    numbers = [call.constant(rank), call.constant(1), call.constant(0)]
    return call.make(Code.ONE_HOT, [axes, *numbers], [count, rank], options, "int32")


def spread(call: Call, marked: Tensor, values: Tensor, otherwise: Tensor | int) -> Tensor:
    """Return, for each axis, the value of the one in ``values`` [number of axes] that is for it, int32 [rank]."""
    column = to_shape(call, values, [-1, 1], [marked.shape[0], 1])
    found = reduce(call, Code.SUM, mul(call, marked, column), [0], keeps_axes=False)
    touched = compare(call, Code.GREATER, reduce(call, Code.SUM, marked, [0], keeps_axes=False), 0)
    return select(call, touched, found, otherwise)


def _without(call: Call, x: Tensor, marked: Tensor) -> Tensor:
    free = compare(call, Code.EQUAL, reduce(call, Code.SUM, marked, [0], keeps_axes=False), 0)
    rank = len(x.shape) - (marked.shape[0] or 0)
    places = cast(call, call.make(Code.WHERE, [free], [None, 1], dtype="int64"), "int32")
    rows = call.make(Code.GATHER, [shape_of(call, x), places], [None, 1], schema.GatherOptionsT())
    target = to_shape(call, rows, [rank], [rank])
    return call.make(Code.RESHAPE, [x, target], [None] * rank, schema.ReshapeOptionsT())


def _with(call: Call, x: Tensor) -> Tensor:
    """Return x with new axes: the old sizes in order between the marks."""
    count = call[1].shape[0] if call[1].shape else 1
    rank = len(x.shape) + (count or 0)
    new = reduce(call, Code.SUM, marks(call, 1, rank), [0], keeps_axes=False)
    if not x.shape:
        return to_shape(call, x, [1] * rank, [1] * rank)
    options = schema.CumsumOptionsT()
    counted = call.make(Code.CUMSUM, [sub(call, 1, new), call.constant(0)], [rank], options)
    places = maximum(call, add(call, counted, -1), 0)
    sizes = call.make(Code.GATHER, [shape_of(call, x), places], [rank], schema.GatherOptionsT())
    target = select(call, compare(call, Code.GREATER, new, 0), 1, sizes)
    return call.make(Code.RESHAPE, [x, target], [None] * rank, schema.ReshapeOptionsT())
