"""Integers as rows of bits."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import DTYPES, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, binary, compare, maximum, minimum, mul, select, sub
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import bits, joint_shape, require_dtype
from isoform.hub.emitters.tflite_ops.moving import cast, shape_of, strided_slice

_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@op("BitwiseAnd", since=18)
def bitwise_and(call: Call) -> Tensor:
    require_dtype(call, call[0], _INTEGERS)
    return _both(call, Code.STABLEHLO_AND, *_alike(call))


@op("BitwiseOr", since=18)
def bitwise_or(call: Call) -> Tensor:
    """Return x + y - (x & y)."""
    return _combined(call, 1)


@op("BitwiseXor", since=18)
def bitwise_xor(call: Call) -> Tensor:
    """Return x + y - 2 (x & y)."""
    return _combined(call, 2)


def _combined(call: Call, times: int) -> Tensor:
    require_dtype(call, call[0], _INTEGERS)
    x, y = _alike(call)
    both = _scaled(call, _both(call, Code.STABLEHLO_AND, x, y), -times)
    return _both(call, Code.STABLEHLO_ADD, _both(call, Code.STABLEHLO_ADD, x, y), both)


@op("BitwiseNot", since=18)
def bitwise_not(call: Call) -> Tensor:
    """Return -1 - x."""
    require_dtype(call, call[0], _INTEGERS)
    x = call[0]
    return _both(call, Code.STABLEHLO_ADD, _scaled(call, x, -1), _filled(call, x, -1))


@op("BitShift", since=11)
def bit_shift(call: Call) -> Tensor:
    """Return the bits moved to the left, which is a product, or to the right, where the sign fills in.

    Moved by a negative number or by as many bits as there are, nothing but the sign's filling is left.
    """
    require_dtype(call, call[0], _INTEGERS)
    x, y = _alike(call)
    width = 8 * np.dtype(x.dtype).itemsize
    by = _signed(call, y)
    is_outside = call.make(
        Code.LOGICAL_OR, [compare(call, Code.LESS, by, 0), compare(call, Code.GREATER_EQUAL, by, width)], x.shape
    )
    by = select(call, is_outside, width - 1, by)
    if call.string("direction", "") == "LEFT":
        table = call.constant(np.array([1 << place for place in range(width)], np.uint64).view(np.int64), "int64")
        moved = mul(call, _signed(call, x), call.make(Code.GATHER, [table, by], x.shape, schema.GatherOptionsT()))
    else:
        moved = _long_shift(call, x, by) if width == 64 else cast(call, _right(call, x, by), "int64")
        if x.dtype.startswith("int"):
            return _as(call, moved, x.dtype)
    return _as(call, select(call, is_outside, 0, moved), x.dtype)


def _long_shift(call: Call, x: Tensor, by: Tensor) -> Tensor:
    """Return 64 bits moved to the right as int64, half by half: what leaves the upper one enters the lower one."""
    low, high = _halves(call, x)
    inside, beyond = minimum(call, by, 31), maximum(call, sub(call, by, 32), 0)
    table = call.constant([0, *(1 << (32 - place) for place in range(1, 32))], "int64")
    factors = call.make(Code.GATHER, [table, inside], x.shape, schema.GatherOptionsT())
    entering = binary(call, Code.FLOOR_MOD, mul(call, cast(call, high, "int64"), factors), 2**32)
    lower = add(call, cast(call, _right(call, low, inside), "int64"), entering)
    near = add(call, lower, mul(call, cast(call, _right(call, high, inside), "int64"), 2**32))
    far = cast(call, _right(call, high, beyond), "int64")
    return select(call, compare(call, Code.GREATER_EQUAL, by, 32), far, near)


def _right(call: Call, x: Tensor, by: Tensor) -> Tensor:
    return call.make(Code.RIGHT_SHIFT, [x, cast(call, by, x.dtype)], x.shape, schema.RightShiftOptionsT())


def _halves(call: Call, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lower 32 bits as uint32, and the upper ones with the sign that x has."""
    rank, ends = len(x.shape), set(range(len(x.shape)))
    pair = call.make(Code.BITCAST, [x], [*x.shape, 2], schema.BitcastOptionsT(), "uint32")
    low, high = (
        strided_slice(call, pair, [0] * rank + [place], [0] * rank + [place + 1], [1] * (rank + 1), x.shape, ends, rank)
        for place in (0, 1)
    )
    return low, bits(call, high, "int32") if x.dtype == "int64" else high


@op("BitCast", since=26)
def bit_cast(call: Call) -> Tensor:
    """Return the bits as another type of the same width."""
    if not {call.dtype, call[0].dtype} <= set(DTYPES):
        raise call.refusal(f"{call[0].dtype} as {call.dtype}")
    return bits(call, call[0], call.dtype)


def _alike(call: Call) -> tuple[Tensor, Tensor]:
    """Return both inputs in their joint shape: these kernels do not broadcast."""
    x, y = call[0], call[1]
    if x.shape == y.shape and None not in x.shape:
        return x, y
    shape = joint_shape(call, [x, y])
    joint = call.make(Code.BROADCAST_ARGS, [shape_of(call, x), shape_of(call, y)], [len(shape)], dtype="int32")
    first, second = (call.make(Code.BROADCAST_TO, [each, joint], shape) for each in (x, y))
    return first, second


def _both(call: Call, code: int, x: Tensor, y: Tensor) -> Tensor:
    return call.make(code, [x, y], x.shape)


def _scaled(call: Call, x: Tensor, factor: int) -> Tensor:
    return _both(call, Code.STABLEHLO_MULTIPLY, x, _filled(call, x, factor))


def _filled(call: Call, x: Tensor, number: int) -> Tensor:
    """Return the number, its bits cut to the type of x, in the shape of x."""
    wrapped = np.array(number, np.int64).astype(x.dtype)
    value = call.graph.constant(wrapped, f"{call.node.name}/number")
    return call.make(Code.FILL, [shape_of(call, x), value], x.shape, schema.FillOptionsT(), x.dtype)


def _signed(call: Call, x: Tensor) -> Tensor:
    return bits(call, x, "int64") if x.dtype == "uint64" else cast(call, x, "int64")


def _as(call: Call, x: Tensor, dtype: str) -> Tensor:
    return bits(call, x, dtype) if dtype == "uint64" else cast(call, x, dtype)
