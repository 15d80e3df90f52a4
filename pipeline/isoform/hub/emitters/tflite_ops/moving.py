"""Operators that move elements or ask for shapes, and compute nothing."""

import math
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import DTYPES, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op

INT32_MAX = 2**31 - 1


def as_int32(call: Call, tensor: Tensor) -> Tensor:
    """Return a tensor of sizes or places as int32, as TFLite's kernels want it."""
    if tensor.array is not None:
        return call.constant(np.clip(tensor.array, -INT32_MAX, INT32_MAX))
    if tensor.dtype == "int32":
        return tensor
    if tensor not in call.scope.narrowed:
        call.scope.narrowed[tensor] = cast(call, tensor, "int32")
    return call.scope.narrowed[tensor]


def cast(call: Call, tensor: Tensor, dtype: str) -> Tensor:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = DTYPES[tensor.dtype], DTYPES[dtype]
    return call.make(Code.CAST, [tensor], tensor.shape, options, dtype)


def shape_of(call: Call, tensor: Tensor, dtype: str = "int32") -> Tensor:
    options = schema.ShapeOptionsT()
    options.outType = DTYPES[dtype]
    return call.make(Code.SHAPE, [tensor], [len(tensor.shape)], options, dtype)


def size_at(call: Call, tensor: Tensor, axis: int, dtype: str = "int32") -> Tensor:
    """Return the size of one axis as a scalar that is read while the model runs."""
    return strided_slice(call, shape_of(call, tensor, dtype), [axis], [axis + 1], [1], [], dropped=0)


@op("Identity")
def identity(call: Call) -> Tensor:
    return call[0]


@op("Dropout")
def dropout(call: Call) -> Tensor:
    """Return x as it is: nothing is dropped when a model is used."""
    if call.has(2) and (call.array(2) is None or bool(np.any(call.array(2)))):
        raise call.refusal("training mode")
    return call[0]


@op("Cast")
def cast_to(call: Call) -> Tensor:
    if not {call.dtype, call[0].dtype} <= set(DTYPES) - {"uint64"}:
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


def to_shape(call: Call, x: Tensor, dims: Sequence[int | None], shape: Sequence[int | None] | None = None) -> Tensor:
    """Return x reshaped; None stands for the size that x has at the same place.

    Args:
        shape: the sizes of the result, those of the node's output unless given.
    """
    shape = call.shape if shape is None else shape
    if None not in dims:
        options = schema.ReshapeOptionsT()
        options.newShape = list(dims)
        return call.make(Code.RESHAPE, [x, call.constant(dims)], shape, options)
    whole = shape_of(call, x)
    parts = [
        strided_slice(call, whole, [axis], [axis + 1], [1], [1]) if dim is None else call.constant([dim])
        for axis, dim in enumerate(dims)
    ]
    return call.make(Code.RESHAPE, [x, concat(call, parts, 0, [len(dims)])], shape, schema.ReshapeOptionsT())


@op("Flatten")
def flatten(call: Call) -> Tensor:
    """Return a matrix; where sizes on both sides of the axis are dynamic, those before it are counted at run time."""
    known = call[0].shape
    axis = call.int("axis", 1)
    axis += len(known) * (axis < 0)
    before, after = _product(known[:axis]), _product(known[axis:])
    if after is not None:
        return to_shape(call, call[0], [-1 if before is None else before, after])
    if before is not None:
        return to_shape(call, call[0], [before, -1])
    sizes = strided_slice(call, shape_of(call, call[0]), [0], [axis], [1], [axis])
    options = schema.ReducerOptionsT()
    options.keepDims = True
    rows = call.make(Code.REDUCE_PROD, [sizes, call.constant([0])], [1], options)
    target = concat(call, [rows, call.constant([-1])], 0, [2])
    return call.make(Code.RESHAPE, [call[0], target], call.shape, schema.ReshapeOptionsT())


def _product(sizes: Sequence[int | None]) -> int | None:
    """Return the product of sizes; None where one is dynamic."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


@op("Concat")
def concatenate(call: Call) -> Tensor:
    tensors = [call[index] for index in range(len(call.node.inputs))]
    return concat(call, tensors, call.int("axis", 0) % len(call.shape), call.shape)


def concat(call: Call, tensors: list[Tensor], axis: int, shape: list[int | None] | tuple[int | None, ...]) -> Tensor:
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    return call.make(Code.CONCATENATION, tensors, shape, options)


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
