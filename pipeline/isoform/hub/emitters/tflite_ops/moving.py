"""Operators that move elements or ask for shapes, and compute nothing."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import DTYPES, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.passes.fold_weights import constant

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


def sizes_of(call: Call, index: int) -> Tensor:
    """Return input ``index``, sizes or bounds, as int32: without a detour by int64 where it is read of shapes alone."""
    value = call.node.inputs[index]
    found = None if value is None else _read_of_shapes(call, value)
    return as_int32(call, call[index]) if found is None else found


def _read_of_shapes(call: Call, value: ir.Value) -> Tensor | None:
    known, node = call.scope.sizes, value.producer()
    if value not in known and node is not None and node.domain == "" and value in call.scope.deferred:
        found = _of_shape(call, node) if node.op_type == "Shape" else _of_parts(call, node)
        if found is not None:
            known[value] = found
    return known.get(value)


def _of_shape(call: Call, node: ir.Node) -> Tensor | None:
    x = call.scope.values.get(node.inputs[0]) if node.inputs[0] is not None else None
    if x is None:
        return None
    start, end = _span(node, len(x.shape))
    whole = shape_of(call, x)
    return whole if end - start == len(x.shape) else strided_slice(call, whole, [start], [end], [1], [end - start])


def _of_parts(call: Call, node: ir.Node) -> Tensor | None:
    parts = []
    for value in node.inputs:
        array = constant(value)
        part = call.constant(np.clip(array, -INT32_MAX, INT32_MAX)) if array is not None else None
        part = _read_of_shapes(call, value) if part is None and value is not None else part
        if part is None:
            return None
        parts.append(part)
    return concat(call, parts, 0, [sum(part.shape[0] or 0 for part in parts)])


def _span(node: ir.Node, rank: int) -> tuple[int, int]:
    """Return from where to where a Shape gives the sizes."""
    bounds = [(node.attributes[name].as_int() if name in node.attributes else None) for name in ("start", "end")]
    start, end = (default if place is None else place for place, default in zip(bounds, (0, rank), strict=True))
    start, end = (int(np.clip(place + rank * (place < 0), 0, rank)) for place in (start, end))
    return start, max(start, end)


def cast(call: Call, tensor: Tensor, dtype: str) -> Tensor:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = DTYPES[tensor.dtype], DTYPES[dtype]
    return call.make(Code.CAST, [tensor], tensor.shape, options, dtype)


def shape_of(call: Call, tensor: Tensor, dtype: str = "int32") -> Tensor:
    """Return the sizes of a tensor, read while the model runs; they are asked for once."""
    asked = call.scope.asked
    if (tensor, dtype) not in asked:
        options = schema.ShapeOptionsT()
        options.outType = DTYPES[dtype]
        asked[tensor, dtype] = call.make(Code.SHAPE, [tensor], [len(tensor.shape)], options, dtype)
    return asked[tensor, dtype]


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
    start, end = _span(call.node, rank)
    return whole if (start, end) == (0, rank) else strided_slice(call, whole, [start], [end], [1], call.shape)


@op("Transpose")
def transpose(call: Call) -> Tensor:
    perm = call.ints("perm") or list(range(len(call.shape)))[::-1]
    return call.make(Code.TRANSPOSE, [call[0], call.constant(perm)], call.shape, schema.TransposeOptionsT())


@op("Reshape", since=5)
def reshape(call: Call) -> Tensor:
    """Return x in another shape; sizes that the target copies are read from x while the model runs."""
    target = call.array(1)
    if target is None:
        return call.make(Code.RESHAPE, [call[0], sizes_of(call, 1)], call.shape, schema.ReshapeOptionsT())
    dims: list[int | None] = [int(dim) for dim in target.reshape(-1)]
    if not call.int("allowzero", 0):
        dims = [call[0].shape[axis] if dim == 0 else dim for axis, dim in enumerate(dims)]
    dims = [call.shape[axis] or dim if dim == -1 else dim for axis, dim in enumerate(dims)]
    if dims.count(None) == 1 and -1 not in dims:
        dims = [-1 if dim is None else dim for dim in dims]
    if None not in dims:
        return to_shape(call, call[0], [-1 if dim is None else dim for dim in dims])
    return call.make(Code.RESHAPE, [call[0], _target(call, dims)], call.shape, schema.ReshapeOptionsT())


def to_shape(call: Call, x: Tensor, dims: Sequence[int], shape: Sequence[int | None] | None = None) -> Tensor:
    """Return x reshaped.

    Args:
        shape: the sizes of the result, those of the node's output unless given.
    """
    options = schema.ReshapeOptionsT()
    options.newShape = list(dims)
    return call.make(Code.RESHAPE, [x, call.constant(dims)], call.shape if shape is None else shape, options)


def _target(call: Call, dims: Sequence[int | None]) -> Tensor:
    """Return ``dims`` with the size that input 0 has at the same place for None, made once where that has a name."""
    key = _named(call, dims)
    if key is not None and key in call.scope.targets:
        return call.scope.targets[key]
    whole, parts = shape_of(call, call[0]), []
    for is_copied, run in groupby(range(len(dims)), lambda axis: dims[axis] is None):
        axes = list(run)
        if is_copied:
            parts.append(strided_slice(call, whole, axes[:1], [axes[-1] + 1], [1], [len(axes)]))
        else:
            parts.append(call.constant([dims[axis] for axis in axes]))
    target = concat(call, parts, 0, [len(dims)]) if len(parts) > 1 else parts[0]
    if key is not None:
        call.scope.targets[key] = target
    return target


def _named(call: Call, dims: Sequence[int | None]) -> tuple[int | str, ...] | None:
    """Return ``dims`` with the names of what is copied; None where one has none, or one that a file only declares."""
    value = call.node.inputs[0]
    if value is None or value.shape is None or value.is_graph_output():
        return None
    names = [dim.value if isinstance(dim, ir.SymbolicDim) else dim for dim in value.shape]
    found = [names[axis] if dim is None else dim for axis, dim in enumerate(dims)]
    return None if None in found else tuple(each for each in found if each is not None)


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
