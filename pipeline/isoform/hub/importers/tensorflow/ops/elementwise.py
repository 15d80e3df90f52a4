"""Elementwise functions."""

import math

import numpy as np

from isoform.hub.importers.tensorflow.ops.table import Call, Form

# M. Giles, "Approximating the erfinv function" (2012): polynomials in w, lowest power last, for w < 5 and beyond.
_NEAR = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 2.1858087e-04, -1.25372503e-03, -4.17768164e-03,
    2.46640727e-01, 1.50140941,
)  # fmt: skip
_FAR = (
    -2.00214257e-04, 1.00950558e-04, 1.34934322e-03, -3.67342844e-03, 5.73950773e-03, -7.6224613e-03, 9.43887047e-03,
    1.00167406, 2.83297682,
)  # fmt: skip


def erfc(call: Call) -> str:
    """Return ``1 - erf(x)``."""
    return call.make("Sub", [call.constant(1), call.make("Erf", call.inputs)])


def erfinv(call: Call) -> str:
    """Return the inverse of erf, by Giles' polynomials; exact to single precision."""
    x = call.inputs[0]
    square = call.make("Mul", [x, x])
    w = call.make("Neg", [call.make("Log", [call.make("Sub", [call.constant(1), square])])])
    is_near = call.make("Less", [w, call.constant(5)])
    near = _polynomial(call, call.make("Sub", [w, call.constant(2.5)]), _NEAR)
    # The root is taken of what it is used for only: elsewhere it may be that of a number below zero.
    root = call.make("Sqrt", [call.make("Max", [w, call.constant(5)])])
    far = _polynomial(call, call.make("Sub", [root, call.constant(3)]), _FAR)
    inner = call.make("Mul", [call.make("Where", [is_near, near, far]), x])
    end = call.make("Mul", [x, call.constant(math.inf)])
    is_end = call.make("Equal", [call.make("Abs", [x]), call.constant(1)])
    return call.make("Where", [is_end, end, inner])


def expm1(call: Call) -> str:
    """Return ``exp(x) - 1``; near zero, where that loses its digits, ``2 tanh(x/2) / (1 - tanh(x/2))``."""
    x = call.inputs[0]
    half = call.make("Tanh", [call.make("Mul", [x, call.constant(0.5)])])
    near = call.make("Div", [call.make("Mul", [half, call.constant(2)]), call.make("Sub", [call.constant(1), half])])
    far = call.make("Sub", [call.make("Exp", [x]), call.constant(1)])
    return call.make("Where", [_is_small(call, x), near, far])


def log1p(call: Call) -> str:
    """Return ``log(1 + x)``, near zero as ``x log(u) / (u - 1)`` with ``u = 1 + x`` rounded (Kahan)."""
    x = call.inputs[0]
    one = call.constant(1)
    u = call.make("Add", [x, one])
    log, rest = call.make("Log", [u]), call.make("Sub", [u, one])
    is_exact = call.make("Equal", [rest, call.constant(0)])
    divisor = call.make("Where", [is_exact, one, rest])
    near = call.make("Where", [is_exact, x, call.make("Div", [call.make("Mul", [log, x]), divisor])])
    return call.make("Where", [_is_small(call, x), near, log])


def xlogy(call: Call) -> str:
    """Return ``x log(y)``, 0 where x is 0."""
    x, y = call.inputs
    zero = call.constant(0)
    return call.make("Where", [call.make("Equal", [x, zero]), zero, call.make("Mul", [x, call.make("Log", [y])])])


def xlog1py(call: Call) -> str:
    """Return ``x log(1 + y)``, 0 where x is 0."""
    x, y = call.inputs
    zero, one = call.constant(0), call.constant(1)
    log = call.make("Log", [call.make("Add", [y, one])])
    return call.make("Where", [call.make("Equal", [x, zero]), zero, call.make("Mul", [x, log])])


def xdivy(call: Call) -> str:
    """Return ``x / y``, 0 where x is 0."""
    x, y = call.inputs
    zero = call.constant(0)
    return call.make("Where", [call.make("Equal", [x, zero]), zero, call.make("Div", [x, y])])


def multiply_no_nan(call: Call) -> str:
    """Return ``x y``, 0 where y is 0."""
    x, y = call.inputs
    zero = call.constant(0)
    return call.make("Where", [call.make("Equal", [y, zero]), zero, call.make("Mul", [x, y])])


def logical_xor(call: Call) -> str:
    return call.make("Xor", call.inputs)


def _polynomial(call: Call, w: str, coefficients: tuple[float, ...]) -> str:
    total = call.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        total = call.make("Add", [call.make("Mul", [total, w]), call.constant(coefficient)])
    return total


def _is_small(call: Call, x: str) -> str:
    return call.make("Less", [call.make("Abs", [x]), call.constant(np.float32(0.5))])


FORMS: dict[str, Form] = {
    "Erfc": erfc,
    "Erfinv": erfinv,
    "Expm1": expm1,
    "Log1p": log1p,
    "LogicalXor": logical_xor,
    "MulNoNan": multiply_no_nan,
    "Xdivy": xdivy,
    "Xlog1py": xlog1py,
    "Xlogy": xlogy,
}
