"""Arithmetic, comparison, logic and bits, element by element with broadcasting."""

import functools

import torch

from isoform.hub.emitters.torch_ops.table import Tensor, integers_of, op
from isoform.hub.emitters.torch_ops.unsigned import WIDENED, ordered, quotient, shifted_right, widened


@op("Add")
@widened
def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


@op("Sub")
@widened
def sub(a: Tensor, b: Tensor) -> Tensor:
    return a - b


@op("Mul")
@widened
def mul(a: Tensor, b: Tensor) -> Tensor:
    return a * b


@op("Div")
def div(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b; integers are truncated towards zero."""
    return widened(quotient)(a, b) if a.dtype == torch.uint64 else _div(a, b)


@widened
def _div(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode="trunc") if integers_of(a) else a / b


@op("Mod")
def mod(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """Return the remainder with the sign of b, or with that of a as C's fmod has it."""
    if a.dtype == torch.uint64:
        return widened(lambda one, other: one - quotient(one, other) * other)(a, b)
    return _mod(a, b, fmod)


@widened
def _mod(a: Tensor, b: Tensor, fmod: int) -> Tensor:
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@op("Pow")
def power(base: Tensor, exponent: Tensor) -> Tensor:
    """Return the power in the dtype of the base."""
    if base.is_floating_point() or exponent.dtype in WIDENED:
        exponent = exponent.to(base.dtype if base.is_floating_point() else torch.int64)
    return torch.pow(base, exponent).to(base.dtype)


@op("Max")
@ordered
def maximum(*tensors: Tensor) -> Tensor:
    return functools.reduce(torch.maximum, tensors)


@op("Min")
@ordered
def minimum(*tensors: Tensor) -> Tensor:
    return functools.reduce(torch.minimum, tensors)


@op("Sum")
def total(*tensors: Tensor) -> Tensor:
    return functools.reduce(torch.add, tensors)


@op("Mean")
def mean(*tensors: Tensor) -> Tensor:
    return functools.reduce(torch.add, tensors) / len(tensors)


@op("Equal")
@widened
def equal(a: Tensor, b: Tensor) -> Tensor:
    return a == b


@op("Greater")
@ordered
def greater(a: Tensor, b: Tensor) -> Tensor:
    return a > b


@op("GreaterOrEqual")
@ordered
def greater_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a >= b


@op("Less")
@ordered
def less(a: Tensor, b: Tensor) -> Tensor:
    return a < b


@op("LessOrEqual")
@ordered
def less_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a <= b


op("And")(torch.logical_and)
op("Or")(torch.logical_or)
op("Xor")(torch.logical_xor)
op("Not")(torch.logical_not)


@op("BitwiseAnd")
@widened
def bitwise_and(a: Tensor, b: Tensor) -> Tensor:
    return a & b


@op("BitwiseOr")
@widened
def bitwise_or(a: Tensor, b: Tensor) -> Tensor:
    return a | b


@op("BitwiseXor")
@widened
def bitwise_xor(a: Tensor, b: Tensor) -> Tensor:
    return a ^ b


@op("BitwiseNot")
@widened
def bitwise_not(x: Tensor) -> Tensor:
    return ~x


@op("BitShift")
def bit_shift(x: Tensor, count: Tensor, *, direction: str) -> Tensor:
    if x.dtype == torch.uint64 and direction == "RIGHT":
        return widened(shifted_right)(x, count)
    return _bit_shift(x, count, direction)


@widened
def _bit_shift(x: Tensor, count: Tensor, direction: str) -> Tensor:
    return torch.bitwise_left_shift(x, count) if direction == "LEFT" else torch.bitwise_right_shift(x, count)


@op("Where")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


@op("Clip")
@ordered
def clip(x: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:  # noqa: A002
    """Return x within the bounds; where they cross, the upper one holds."""
    x = x if min is None else torch.maximum(x, torch.as_tensor(min, dtype=x.dtype))
    return x if max is None else torch.minimum(x, torch.as_tensor(max, dtype=x.dtype))


@op("IsInf")
def is_inf(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    if detect_negative and detect_positive:
        return torch.isinf(x)
    if detect_positive:
        return torch.isposinf(x)
    return torch.isneginf(x) if detect_negative else torch.zeros_like(x, dtype=torch.bool)


op("IsNaN")(torch.isnan)
