"""Arithmetic, comparison, logic and bits, element by element with broadcasting."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from isoform.hub.emitters.torch_ops.table import Tensor, integers_of, op

WIDENED = (torch.uint16, torch.uint32, torch.uint64)


def widened(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return ``function`` computed in int64 for unsigned dtypes that PyTorch stores but does not compute in.

    uint64 wraps around as it should in sums, products and bits; orders and quotients hold below 2**63.
    """

    @functools.wraps(function)
    def wide(*inputs: Tensor | None, **attributes: Any) -> Tensor:
        dtype = next((x.dtype for x in inputs if isinstance(x, torch.Tensor) and x.dtype in WIDENED), None)
        if dtype is None:
            return function(*inputs, **attributes)
        result = function(*[x.to(torch.int64) if isinstance(x, torch.Tensor) else x for x in inputs], **attributes)
        return result.to(dtype) if result.dtype == torch.int64 else result

    return wide


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
@widened
def div(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b; integers are truncated towards zero."""
    return torch.div(a, b, rounding_mode="trunc") if integers_of(a) else a / b


@op("Mod")
@widened
def mod(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """Return the remainder with the sign of b, or with that of a as C's fmod has it."""
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@op("Pow")
def power(base: Tensor, exponent: Tensor) -> Tensor:
    """Return the power in the dtype of the base."""
    if base.is_floating_point() or exponent.dtype in WIDENED:
        exponent = exponent.to(base.dtype if base.is_floating_point() else torch.int64)
    return torch.pow(base, exponent).to(base.dtype)


@op("Max")
@widened
def maximum(*tensors: Tensor) -> Tensor:
    return functools.reduce(torch.maximum, tensors)


@op("Min")
@widened
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
@widened
def greater(a: Tensor, b: Tensor) -> Tensor:
    return a > b


@op("GreaterOrEqual")
@widened
def greater_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a >= b


@op("Less")
@widened
def less(a: Tensor, b: Tensor) -> Tensor:
    return a < b


@op("LessOrEqual")
@widened
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
@widened
def bit_shift(x: Tensor, count: Tensor, *, direction: str) -> Tensor:
    return torch.bitwise_left_shift(x, count) if direction == "LEFT" else torch.bitwise_right_shift(x, count)


@op("Where")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


@op("Clip")
@widened
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
