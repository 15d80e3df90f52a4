"""Arithmetic of two inputs and more: broadcast as ONNX does, a fused activation after it."""

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op

_BINARY = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow", "PRELU": "PRelu"}


@op("ADD", "SUB", "MUL", "DIV")
def fused_binary(call: Call) -> ir.Value:
    value = call.emit(_BINARY[call.operator.name], call[0], call[1])
    return call.activated(value, call.operator.options.fusedActivationFunction if call.operator.options else 0)


@op("POW", "PRELU")
def binary(call: Call) -> ir.Value:
    return call.emit(_BINARY[call.operator.name], call[0], call[1])


@op("MAXIMUM", "MINIMUM")
def extreme(call: Call) -> ir.Value:
    return call.emit("Max" if call.operator.name == "MAXIMUM" else "Min", call[0], call[1])


@op("ADD_N")
def add_n(call: Call) -> ir.Value:
    total = call[0]
    for index in range(1, call.count):  # ONNX' Sum takes floats alone
        total = call.emit("Add", total, call[index])
    return total


@op("SQUARED_DIFFERENCE")
def squared_difference(call: Call) -> ir.Value:
    difference = call.emit("Sub", call[0], call[1])
    return call.emit("Mul", difference, difference)


@op("FLOOR_DIV")
def floor_div(call: Call) -> ir.Value:
    """Return the quotient rounded down; ONNX' division of integers rounds towards zero."""
    quotient = call.emit("Div", call[0], call[1])
    dtype = call.result().dtype
    if call.is_float(0):
        return call.emit("Floor", quotient)
    rest = call.emit("Sub", call[0], call.emit("Mul", quotient, call[1]))
    correction = call.cast(_opposite(call, rest, dtype), dtype)
    return call.emit("Sub", quotient, correction)


@op("FLOOR_MOD")
def floor_mod(call: Call) -> ir.Value:
    """Return the rest that has the divisor's sign."""
    if not call.is_float(0):
        return call.emit("Mod", call[0], call[1])
    rest = call.emit("Mod", call[0], call[1], fmod=1)
    return call.emit("Where", _opposite(call, rest, call.real_dtype(0)), call.emit("Add", rest, call[1]), rest)


def _opposite(call: Call, rest: ir.Value, dtype: str) -> ir.Value:
    """Return where ``rest`` is neither zero nor of the divisor's sign."""
    zero = call.number(0, dtype)
    is_rest = call.emit("Not", call.emit("Equal", rest, zero))
    differs = call.emit("Xor", call.emit("Less", rest, zero), call.emit("Less", call[1], zero))
    return call.emit("And", is_rest, differs)


@op("ATAN2")
def atan2(call: Call) -> ir.Value:
    """Return the angle of (x, y) in all four quadrants, from the quotient's: plus or minus a half turn where x < 0.

    Where x is 0, the quotient is infinite and its angle right; both 0 is no angle but 0 or a half turn by convention.
    """
    y, x, dtype = call[0], call[1], call.real_dtype(0)
    zero, half_turn = call.number(0, dtype), call.number(3.141592653589793, dtype)
    angle = call.emit("Atan", call.emit("Div", y, x))
    turned = call.emit("Where", call.emit("Less", y, zero), call.emit("Neg", half_turn), half_turn)
    angle = call.emit("Where", call.emit("Less", x, zero), call.emit("Add", angle, turned), angle)
    is_zero = call.emit("And", call.emit("Equal", y, zero), call.emit("GreaterOrEqual", x, zero))
    return call.emit("Where", is_zero, zero, angle)


@op("BITWISE_XOR")
def bitwise_xor(call: Call) -> ir.Value:
    return call.emit("Xor" if call.tensor(0).dtype == "bool" else "BitwiseXor", call[0], call[1])


@op("RIGHT_SHIFT")
def right_shift(call: Call) -> ir.Value:
    """Return the bits moved down, a sign kept; ONNX moves those of unsigned integers alone.

    So of a negative number its complement is moved, which has no sign, and turned back. All bits but the sign at most
    are moved: more leave the same.
    """
    dtype = call.tensor(0).dtype
    if dtype.startswith("uint"):
        return call.emit("BitShift", call[0], call[1], direction="RIGHT")
    signed, unsigned, most = ("int64", "uint64", 63) if dtype == "int64" else ("int32", "uint32", 31)
    x, count = call.cast(call[0], signed), call.cast(call[1], signed)
    minus_one, zero = call.number(-1, signed), call.number(0, signed)
    is_negative = call.emit("Less", x, zero)
    magnitude = call.cast(call.emit("Where", is_negative, call.emit("Sub", minus_one, x), x), unsigned)
    count = call.emit("Min", count, call.number(most, signed))
    moved = call.emit("BitShift", magnitude, call.cast(count, unsigned), direction="RIGHT")
    moved = call.cast(moved, signed)
    return call.cast(call.emit("Where", is_negative, call.emit("Sub", minus_one, moved), moved), dtype)
