"""Operators that move elements or ask for shapes, and compute nothing."""

import math
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import DTYPES, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, dtype_of, op
from isoform.hub.emitters.tflite_ops.call import sizes as sizes_of

INT32_MAX = 2**31 - 1


def as_int32(call: Call, tensor: Tensor) -> Tensor:
    """Return a tensor of sizes or places as int32, as TFLite's kernels want it."""
    if tensor.array is not None:
        return call.constant(np.clip(tensor.array, -INT32_MAX, INT32_MAX))
    return tensor if tensor.dtype == "int32" else cast(call, tensor, "int32")


def cast(call: Call, tensor: Tensor, dtype: str) -> Tensor:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = DTYPES[tensor.dtype], DTYPES[dtype]
    return call.make(Code.CAST, [tensor], tensor.shape, options, dtype)


def shape_of(call: Call, tensor: Tensor, dtype: str = "int32") -> Tensor:
    options = schema.ShapeOptionsT()
    options.outType = DTYPES[dtype]
    return call.make(Code.SHAPE, [tensor], [len(tensor.shape)], options, dtype)


@op("Identity")
def identity(call: Call) -> Tensor:
    return call[0]


@op("Dropout")
def dropout(call: Call) -> Tensor:
    """Return x as it is: nothing is dropped when a model is used."""
    if call.get(2) is not None and (call.array(2) is None or bool(np.any(call.array(2)))):
        raise call.refusal("training mode")
    return call[0]


@op("Cast")
def cast_to(call: Call) -> Tensor:
    if call.dtype not in DTYPES or call[0].dtype not in DTYPES:
        raise call.refusal(f"{call[0].dtype} to {call.dtype}")
    if call[0].dtype.startswith("float") and not call.dtype.startswith(("float", "bool", "int32", "int64")):
        raise call.refusal(f"{call[0].dtype} to {call.dtype}, whose overflow differs")
    return cast(call, call[0], call.dtype)


@op("Shape", since=1)
def shape(call: Call) -> Tensor:
    """Return the sizes from ``start`` to ``end``."""
    whole = shape_of(call, call[0], "int64")
    rank = len(call[0].shape)
    start, end = call.int("start", 0), call.int("end", rank)
    if (start, end) == (0, rank):
        return whole
    start, end = (int(np.clip(place + rank * (place < 0), 0, rank)) for place in (start, end))
    return strided_slice(call, whole, [start], [max(start, end)], [1], call.shape)


@op("Transpose")
def transpose(call: Call) -> Tensor:
    perm = call.ints("perm") or list(range(len(call.shape)))[::-1]
    return call.make(Code.TRANSPOSE, [call[0], call.constant(perm)], call.shape, schema.TransposeOptionsT())


@op("Reshape", since=5)
def reshape(call: Call) -> Tensor:
    """Return x in another shape; sizes that the target copies are read from x while the model runs."""
    target = call.array(1)
    if target is None:
        return call.make(Code.RESHAPE, [call[0], as_int32(call, call[1])], call.shape, schema.ReshapeOptionsT())
    dims: list[int | None] = [int(dim) for dim in target.reshape(-1)]
    if not call.int("allowzero", 0):
        dims = [call[0].shape[axis] if dim == 0 else dim for axis, dim in enumerate(dims)]
    if dims.count(None) == 1 and -1 not in dims:
        dims = [-1 if dim is None else dim for dim in dims]
    return to_shape(call, call[0], dims)


def to_shape(call: Call, x: Tensor, dims: list[int | None]) -> Tensor:
    """Return x reshaped; None stands for the size that x has at the same place."""
    if None not in dims:
        options = schema.ReshapeOptionsT()
        options.newShape = dims
        return call.make(Code.RESHAPE, [x, call.constant(dims)], call.shape, options)
    whole = shape_of(call, x)
    parts = [
        strided_slice(call, whole, [axis], [axis + 1], [1], [1]) if dim is None else call.constant([dim])
        for axis, dim in enumerate(dims)
    ]
    return call.make(Code.RESHAPE, [x, concat(call, parts, 0, [len(dims)])], call.shape, schema.ReshapeOptionsT())


@op("Flatten")
def flatten(call: Call) -> Tensor:
    """Return a matrix; the sizes behind the axis have to be known, or those before it."""
    known = call[0].shape
    axis = call.int("axis", 1)
    axis += len(known) * (axis < 0)
    before, after = _product(known[:axis]), _product(known[axis:])
    if after is not None:
        return to_shape(call, call[0], [-1 if before is None else before, after])
    if before is not None:
        return to_shape(call, call[0], [before, -1])
    raise call.refusal("dynamic sizes on both sides of the axis")


def _product(sizes: Sequence[int | None]) -> int | None:
    """Return the product of sizes; None where one is dynamic."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


@op("Squeeze")
def squeeze(call: Call) -> Tensor:
    axes = call.ints_of("axes", 1)
    rank = len(call[0].shape)
    if axes is None:
        if None in call[0].shape:
            raise call.refusal("axes that depend on dynamic sizes")
        axes = [axis for axis, size in enumerate(call[0].shape) if size == 1]
    if not axes:
        return call[0]
    options = schema.SqueezeOptionsT()
    options.squeezeDims = sorted(axis % rank for axis in axes)
    return call.make(Code.SQUEEZE, [call[0]], call.shape, options)


@op("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    x, shape = call[0], list(call[0].shape)
    axes = call.ints_of("axes", 1) or []
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape = [*shape[:axis], 1, *shape[axis:]]
        x = call.make(Code.EXPAND_DIMS, [x, call.constant(axis)], shape, schema.ExpandDimsOptionsT())
    return x


@op("Concat")
def concatenate(call: Call) -> Tensor:
    tensors = [call[index] for index in range(len(call.node.inputs))]
    return concat(call, tensors, call.int("axis", 0) % len(call.shape), call.shape)


def concat(call: Call, tensors: list[Tensor], axis: int, shape: list[int | None] | tuple[int | None, ...]) -> Tensor:
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    return call.make(Code.CONCATENATION, tensors, shape, options)


@op("Slice", since=10)
def slice_(call: Call) -> Tensor:
    """Return the part between constant bounds; the axes that are not named stay whole."""
    bounds = [call.ints_of(name, place) for place, name in enumerate(("starts", "ends", "axes", "steps"), start=1)]
    starts, ends, axes, steps = bounds
    rank = len(call[0].shape)
    assert starts is not None
    assert ends is not None
    axes = [axis % rank for axis in axes] if axes is not None else list(range(len(starts)))
    begin, end, step, open_ends = [0] * rank, [0] * rank, [1] * rank, set(range(rank)) - set(axes)
    for axis, first, last, stride in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        begin[axis], end[axis], step[axis] = (
            int(np.clip(value, -INT32_MAX, INT32_MAX)) for value in (first, last, stride)
        )
        if (stride > 0 and last >= INT32_MAX) or (stride < 0 and last <= -INT32_MAX):
            open_ends.add(axis)
    return strided_slice(call, call[0], begin, end, step, call.shape, open_ends)


def strided_slice(
    call: Call,
    x: Tensor,
    begin: list[int],
    end: list[int],
    step: list[int],
    shape: list[int | None] | tuple[int | None, ...] | list[int],
    open_ends: set[int] | frozenset[int] = frozenset(),
    dropped: int | None = None,
) -> Tensor:
    """Return x[begin:end:step]; an open end takes the last element in, a dropped axis has one place and goes."""
    options = schema.StridedSliceOptionsT()
    options.endMask = sum(1 << axis for axis in open_ends)
    options.shrinkAxisMask = 0 if dropped is None else 1 << dropped
    bounds = [call.constant(values) for values in (begin, end, step)]
    return call.make(Code.STRIDED_SLICE, [x, *bounds], shape, options)


@op("Gather")
def gather(call: Call) -> Tensor:
    """Return the elements at places along an axis; a place outside makes the interpreter refuse the call."""
    rank = len(call[0].shape)
    axis = call.int("axis", 0) % rank
    places = call.array(1)
    if places is not None and places.ndim == 0:
        begin, end = [0] * rank, [0] * rank
        begin[axis] = int(places)
        end[axis] = begin[axis] + 1
        others = set(range(rank)) - {axis}
        return strided_slice(call, call[0], begin, end, [1] * rank, call.shape, others, axis)
    size = call[0].shape[axis]
    if places is not None and (places < 0).any() and size is None:
        raise call.refusal("places counted from the end of a dynamic axis")
    if places is not None and size is not None:
        wrapped = call.constant(np.where(places < 0, places + size, places))
    else:
        wrapped = call[1] if size is None else _counted_from_start(call, call[1], size)
    options = schema.GatherOptionsT()
    options.axis = axis
    return call.make(Code.GATHER, [call[0], wrapped], call.shape, options)


def _counted_from_start(call: Call, places: Tensor, size: int) -> Tensor:
    """Return places on an axis of ``size``, those that count from the end made to count from its start."""
    zero, whole = call.constant(0, places.dtype), call.constant(size, places.dtype)
    is_negative = call.make(Code.LESS, [places, zero], places.shape, dtype="bool")
    shifted = call.make(Code.ADD, [places, whole], places.shape, schema.AddOptionsT())
    return call.make(
        Code.SELECT_V2, [is_negative, shifted, places], places.shape, schema.SelectV2OptionsT(), places.dtype
    )


@op("Expand", since=8)
def expand(call: Call) -> Tensor:
    """Return x broadcast with a shape, which may itself be smaller."""
    if call[0].dtype not in ("float32", "int32", "int64", "bool"):
        raise call.refusal(f"it works on {call[0].dtype}")
    joint = call.make(
        Code.BROADCAST_ARGS, [shape_of(call, call[0]), as_int32(call, call[1])], [len(call.shape)], dtype="int32"
    )
    return call.make(Code.BROADCAST_TO, [call[0], joint], call.shape)


@op("ConstantOfShape", since=9)
def constant_of_shape(call: Call) -> Tensor:
    filled = call.node.attributes.get("value")
    value = np.zeros(1, np.float32) if filled is None else filled.as_tensor().numpy()
    number = call.graph.constant(np.array(value.reshape(()), value.dtype), f"{call.node.name}/value")
    return call.make(Code.FILL, [as_int32(call, call[0]), number], call.shape, schema.FillOptionsT(), call.dtype)


@op("Split", since=2)
def split(call: Call) -> list[Tensor]:
    """Return the parts; without given sizes they are equal, the last one smaller if need be."""
    axis = call.int("axis", 0) % len(call[0].shape)
    lengths = call.ints_of("split", 1)
    size, count = call[0].shape[axis], len(call.node.outputs)
    if lengths is None:
        if size is None:
            raise call.refusal("equal parts of a dynamic axis")
        part = -(-size // count)
        lengths = [part] * (count - 1) + [size - part * (count - 1)]
    outputs = [
        call.graph.tensor(str(value.name), dtype_of(value, call), sizes_of(value, call)) for value in call.node.outputs
    ]
    options = schema.SplitVOptionsT()
    options.numSplits = count
    call.graph.add(Code.SPLIT_V, [call[0], call.constant(lengths), call.constant(axis)], outputs, options)
    return outputs


@op("Pad", since=11)
def pad(call: Call) -> Tensor:
    """Return x with constant or reflected borders of known widths."""
    mode, rank = call.string("mode", "constant"), len(call.shape)
    pads = call.ints_of("pads", 1) or []
    axes = call.ints_of("axes", 3) or list(range(rank))
    table = [[0, 0] for _ in range(rank)]
    for place, axis in enumerate(axes):
        table[axis % rank] = [pads[place], pads[place + len(axes)]]
    if min(map(min, table), default=0) < 0 or mode not in ("constant", "reflect") or rank > 5:
        raise call.refusal(f"mode {mode}, negative widths or {rank} axes")
    widths = call.constant(table)
    if mode == "reflect":
        options = schema.MirrorPadOptionsT()
        options.mode = schema.MirrorPadMode.REFLECT
        return call.make(Code.MIRROR_PAD, [call[0], widths], call.shape, options)
    value = call.get(2)
    if value is None:
        return call.make(Code.PAD, [call[0], widths], call.shape, schema.PadOptionsT())
    return call.make(Code.PADV2, [call[0], widths, value], call.shape, schema.PadV2OptionsT())
