"""Tensors made from sizes and numbers."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import DTYPES, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import compare, select, sub
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import NUMBERS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import as_int32, cast, shape_of, sizes_of, strided_slice, to_shape

_LARGEST_MASK = 1 << 22
"""Elements of a triangle that is stored as a constant."""


@op("Expand", since=8)
def expand(call: Call) -> Tensor:
    """Return x broadcast with a shape, which may itself be smaller."""
    require_dtype(call, call[0], ("float32", "int32", "int64", "bool", "int8", "uint8"))
    joint = call.make(
        Code.BROADCAST_ARGS, [shape_of(call, call[0]), sizes_of(call, 1)], [len(call.shape)], dtype="int32"
    )
    return call.make(Code.BROADCAST_TO, [call[0], joint], call.shape)


@op("Tile", since=6)
def tile(call: Call) -> Tensor:
    require_dtype(call, call[0], ("float32", "int32", "int64", "bool", "int8", "uint8"))
    return call.make(Code.TILE, [call[0], sizes_of(call, 1)], call.shape)


@op("ConstantOfShape", since=9)
def constant_of_shape(call: Call) -> Tensor:
    filled = call.node.attributes.get("value")
    value = np.zeros(1, np.float32) if filled is None else filled.as_tensor().numpy()
    number = call.graph.constant(np.array(value.reshape(()), value.dtype), f"{call.node.name}/value")
    return call.make(Code.FILL, [sizes_of(call, 0), number], call.shape, schema.FillOptionsT(), call.dtype)


@op("Range", since=11)
def range_(call: Call) -> Tensor:
    require_dtype(call, call[0], NUMBERS)
    scalars = [_scalar(call, index) for index in range(3)]
    return call.make(Code.RANGE, scalars, call.shape, schema.RangeOptionsT())


def _scalar(call: Call, index: int) -> Tensor:
    array = call.array(index)
    if array is not None:
        return call.constant(array.reshape(()), call[index].dtype)
    return to_shape(call, call[index], [], []) if call[index].shape else call[index]


@op("Size")
def size(call: Call) -> Tensor:
    """Return the number of elements as int64."""
    options = schema.ReducerOptionsT()
    if not call[0].shape:
        return call.constant(1, "int64")
    return call.make(Code.REDUCE_PROD, [shape_of(call, call[0], "int64"), call.constant([0])], [], options)


@op("EyeLike", since=9)
def eye_like(call: Call) -> Tensor:
    """Return ones on a diagonal of a matrix, zeros elsewhere."""
    if call.dtype not in DTYPES:
        raise call.refusal(f"a matrix of {call.dtype}")
    if None not in call.shape:
        return call.constant(np.eye(call.shape[0], call.shape[1], call.int("k", 0)), call.dtype)
    is_diagonal = compare(call, Code.EQUAL, _offsets(call), call.int("k", 0))
    return is_diagonal if call.dtype == "bool" else cast(call, is_diagonal, call.dtype)


@op("Trilu", since=14)
def trilu(call: Call) -> Tensor:
    """Return the upper or lower triangle of matrices, zeros elsewhere."""
    diagonal = call.array(1)
    require_dtype(call, call[0], ("float32", "int32", "int64", "bool"))
    place: int | Tensor = 0 if diagonal is None else int(diagonal.reshape(-1)[0])
    if call.has(1) and diagonal is None:
        place = to_shape(call, as_int32(call, call[1]), [], [])
    mask = _triangle(call, place, bool(call.int("upper", 1)))
    if call.dtype == "bool":
        return call.make(Code.LOGICAL_AND, [call[0], mask], call.shape)
    return select(call, mask, call[0], 0)


def _triangle(call: Call, diagonal: int | Tensor, is_upper: bool) -> Tensor:
    """Return where column - row >= diagonal, or <= for the lower triangle; boolean [rows, columns]."""
    rows, columns = call.shape[-2:]
    is_known = isinstance(diagonal, int)
    if is_known and rows is not None and columns is not None and rows * columns <= _LARGEST_MASK:
        offsets = np.arange(columns) - np.arange(rows)[:, None]
        return call.constant(offsets >= diagonal if is_upper else offsets <= diagonal, "bool")
    return compare(call, Code.GREATER_EQUAL if is_upper else Code.LESS_EQUAL, _offsets(call), diagonal)


def _offsets(call: Call) -> Tensor:
    """Return column - row, counted while the model runs; int32 [rows, columns]."""
    column, row = (_count(call, axis) for axis in (-1, -2))
    row = call.make(Code.EXPAND_DIMS, [row, call.constant(1)], [call.shape[-2], 1], schema.ExpandDimsOptionsT())
    return sub(call, column, row)


def _count(call: Call, axis: int) -> Tensor:
    """Return 0, 1, ... up to the size of an axis of x."""
    place = len(call.shape) + axis
    limit = strided_slice(call, shape_of(call, call[0]), [place], [place + 1], [1], [], dropped=0)
    return call.make(
        Code.RANGE, [call.constant(0), limit, call.constant(1)], [call.shape[axis]], schema.RangeOptionsT()
    )


@op("CastLike", since=15)
def cast_like(call: Call) -> Tensor:
    """Return x in the dtype of the other input."""
    pair = {call[0].dtype, call.dtype}
    if not pair <= {"float32", "int32", "int64", "bool"} and len(pair) > 1:
        raise call.refusal(f"{call[0].dtype} to {call.dtype}")
    return call[0] if len(pair) == 1 else cast(call, call[0], call.dtype)
