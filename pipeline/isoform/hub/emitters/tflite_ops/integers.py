"""Signs, quotients, remainders and powers, exact for integers of every width that LiteRT has."""

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import (
    add,
    binary,
    broadcast,
    compare,
    div,
    maximum,
    minimum,
    mul,
    select,
    sub,
    unary,
)
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import NUMBERS, WIDER, joint_shape, require_dtype, widened
from isoform.hub.emitters.tflite_ops.moving import cast
from isoform.hub.passes.fold_weights import constant

_SIZE_OPERATORS = {"Add", "Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Slice", "Squeeze", "Unsqueeze", "Size"}
_ROUNDS = 3
"""Each leaves less than 2^-22 of what was left to divide of a number below 2^63."""
_LARGEST_QUOTIENT = 2.0**62
_EXPONENT_BITS = 6
_CUBE = 3.0


@op("Abs")
def absolute(call: Call) -> Tensor:
    require_dtype(call, call[0], (*NUMBERS, *WIDER))
    return widened(call, [call[0]], lambda x: _size(call, x[0]))


def _size(call: Call, x: Tensor) -> Tensor:
    if x.dtype == "int64":
        return maximum(call, x, unary(call, Code.NEG, x))
    return unary(call, Code.ABS, x)


@op("Neg")
def negative(call: Call) -> Tensor:
    require_dtype(call, call[0], (*NUMBERS, *WIDER))
    return widened(call, [call[0]], lambda x: unary(call, Code.NEG, x[0]))


@op("Sign")
def sign(call: Call) -> Tensor:
    require_dtype(call, call[0], (*NUMBERS, *WIDER))
    return widened(call, [call[0]], lambda x: _sign(call, x[0]))


def _sign(call: Call, x: Tensor) -> Tensor:
    return maximum(call, minimum(call, x, 1), -1) if x.dtype == "int64" else unary(call, Code.SIGN, x)


@op("Div", since=7)
def divide(call: Call) -> Tensor:
    """Return the quotient, integers truncated; int64 as int32 where it counts sizes, which int32 holds as well."""
    both = [call[0], call[1]]
    require_dtype(call, both[0], (*NUMBERS, *WIDER))
    shape = joint_shape(call, both)
    options = schema.DivOptionsT()
    if both[0].dtype == "int64" and all(map(_is_size, call.node.inputs)):
        narrow = [cast(call, tensor, "int32") for tensor in both]
        return cast(call, call.make(Code.DIV, narrow, shape, options), "int64")
    if both[0].dtype == "float32":
        options.fusedActivationFunction = call.take_activation()
        return call.make(Code.DIV, both, shape, options)
    return widened(call, both, lambda both: _quotient(call, *both))


def _quotient(call: Call, x: Tensor, y: Tensor) -> Tensor:
    """Return x / y truncated; for int64 found in float32, what that leaves being divided again until it is exact."""
    if x.dtype != "int64":
        return div(call, x, y)
    left, divisor = _size(call, x), _size(call, y)
    as_float = cast(call, divisor, "float32")
    total: Tensor | None = None
    for _ in range(_ROUNDS):
        part = minimum(call, div(call, cast(call, left, "float32"), as_float), _LARGEST_QUOTIENT)
        whole = cast(call, part, "int64")
        total = whole if total is None else add(call, total, whole)
        left = sub(call, left, mul(call, whole, divisor))
    assert total is not None
    over, under = compare(call, Code.GREATER_EQUAL, left, divisor), compare(call, Code.LESS, left, 0)
    total = sub(call, add(call, total, cast(call, over, "int64")), cast(call, under, "int64"))
    return mul(call, total, mul(call, _sign(call, x), _sign(call, y)))


def _is_size(value: ir.Value | None) -> bool:
    """Return whether a value is computed from shapes and small constants alone."""
    known = constant(value)
    if known is not None:
        return bool((np.abs(known) < 2**31).all())
    node = value.producer() if value is not None else None
    if node is None:
        return False
    data = node.inputs if node.op_type in ("Add", "Concat", "Div", "Mul") else node.inputs[:1]
    return node.op_type == "Shape" or (node.op_type in _SIZE_OPERATORS and all(map(_is_size, data)))


@op("Mod", since=10)
def modulo(call: Call) -> Tensor:
    """Return the remainder with the divisor's sign, or with ``fmod`` that of the sizes with the dividend's sign."""
    both = [call[0], call[1]]
    require_dtype(call, both[0], (*NUMBERS, *WIDER))
    if not call.int("fmod", 0):
        return widened(call, both, lambda both: binary(call, Code.FLOOR_MOD, both[0], both[1]))
    return widened(call, both, lambda both: _signed_remainder(call, *both))


def _signed_remainder(call: Call, x: Tensor, y: Tensor) -> Tensor:
    return mul(call, _sign(call, x), binary(call, Code.FLOOR_MOD, _size(call, x), _size(call, y)))


@op("Pow", since=7)
def power(call: Call) -> Tensor:
    """Return x to the power y; squares, cubes and roots have kernels of their own, which are faster and exact."""
    x, y, exponent = call[0], call[1], call.array(1)
    require_dtype(call, x, NUMBERS)
    shape = broadcast(x.shape, y.shape)
    if exponent is not None and exponent.size == 1 and exponent.ndim <= len(x.shape) and x.dtype == "float32":
        number = float(exponent.reshape(-1)[0])
        code = {2.0: Code.SQUARE, 0.5: Code.SQRT, -0.5: Code.RSQRT}.get(number)
        if code is not None:
            return call.make(code, [x], x.shape)
        if number == _CUBE:
            return mul(call, call.make(Code.SQUARE, [x], x.shape), x)
    if x.dtype == "float32":
        if y.dtype == "uint64":
            raise call.refusal(f"{x.dtype} to the power of {y.dtype}")
        return call.make(Code.POW, [x, y if y.dtype == x.dtype else cast(call, y, x.dtype)], shape)
    if y.dtype.startswith(("float", "uint64")):
        raise call.refusal(f"{x.dtype} to the power of {y.dtype}")
    return _whole_power(call, x, y if y.dtype == x.dtype else cast(call, y, x.dtype))


def _whole_power(call: Call, x: Tensor, y: Tensor) -> Tensor:
    """Return the product of x^(2^k) over the bits k of y; one over x^-y, truncated, where y is negative.

    Bits from the sixth on are left out: only powers of 0, 1 and -1 are then within the type, and those have the same.
    """
    square, rest, result = x, _size(call, y), None
    for _ in range(_EXPONENT_BITS):
        is_odd = compare(call, Code.EQUAL, binary(call, Code.FLOOR_MOD, rest, 2), 1)
        factor = select(call, is_odd, square, 1)
        result = factor if result is None else mul(call, result, factor)
        square = mul(call, square, square)
        rest = _halved(call, rest)
    assert result is not None
    large = compare(call, Code.GREATER_EQUAL, _size(call, y), 2**_EXPONENT_BITS)
    is_even = compare(call, Code.EQUAL, binary(call, Code.FLOOR_MOD, y, 2), 0)
    result = select(call, large, select(call, is_even, mul(call, x, x), x), result)
    is_unit = compare(call, Code.EQUAL, _size(call, x), 1)
    below = select(call, is_unit, result, 0)
    return select(call, compare(call, Code.LESS, y, 0), below, result)


def _halved(call: Call, x: Tensor) -> Tensor:
    """Return half of a number that is not negative, rounded down: exact in float32 for the bits that are read."""
    kept = minimum(call, x, 2**_EXPONENT_BITS * 2 - 1)
    even = sub(call, kept, binary(call, Code.FLOOR_MOD, kept, 2))
    return cast(call, mul(call, cast(call, even, "float32"), 0.5), x.dtype)
