"""Short names for the operators that larger ones are composed of. Numbers become constants of the other's dtype.

LiteRT's ADD, SUB, MUL and DIV end at the largest finite number: infinities that a graph computes come out as that.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code

Operand = Tensor | float
Axes = Sequence[int] | Tensor
"""Axes that are known, or int32 that are computed while the model runs."""

_OPTIONS: dict[int, Any] = {
    Code.ADD: schema.AddOptionsT,
    Code.SUB: schema.SubOptionsT,
    Code.MUL: schema.MulOptionsT,
    Code.DIV: schema.DivOptionsT,
    Code.MAXIMUM: schema.MaximumMinimumOptionsT,
    Code.MINIMUM: schema.MaximumMinimumOptionsT,
}


_MOST_AXES = 6


_SUMMING = (Code.MEAN, Code.SUM)
_MOST_AT_ONCE = 256
_WITHOUT_NEUTRAL = (Code.MEAN, Code.REDUCE_MAX, Code.REDUCE_MIN)


def require_axes(call: Call, x: Tensor) -> None:
    """Raise the refusal where x has more axes than XNNPACK reduces: it fails then, and leaves nothing to others."""
    if len(x.shape) > _MOST_AXES:
        raise call.refusal(f"more than {_MOST_AXES} axes")


def binary(call: Call, code: int, one: Operand, other: Operand, dtype: str | None = None) -> Tensor:
    """Return the operator on two tensors that broadcast, or on a tensor and a number."""
    like = one if isinstance(one, Tensor) else other
    assert isinstance(like, Tensor)
    left, right = (each if isinstance(each, Tensor) else call.constant(each, like.dtype) for each in (one, other))
    options = _OPTIONS.get(code)
    shape = broadcast(left.shape, right.shape)
    return call.make(code, [left, right], shape, options() if options else None, dtype)


def add(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.ADD, one, other)


def sub(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.SUB, one, other)


def mul(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.MUL, one, other)


def div(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.DIV, one, other)


def maximum(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.MAXIMUM, one, other)


def minimum(call: Call, one: Operand, other: Operand) -> Tensor:
    return binary(call, Code.MINIMUM, one, other)


def compare(call: Call, code: int, one: Operand, other: Operand) -> Tensor:
    return binary(call, code, one, other, "bool")


def unary(call: Call, code: int, x: Tensor) -> Tensor:
    return call.make(code, [x], x.shape)


def select(call: Call, condition: Tensor, yes: Operand, no: Operand) -> Tensor:
    """Return ``yes`` where the condition holds, else ``no``; at least one of them is a tensor."""
    like = yes if isinstance(yes, Tensor) else no
    assert isinstance(like, Tensor)
    first, second = (each if isinstance(each, Tensor) else call.constant(each, like.dtype) for each in (yes, no))
    shape = broadcast(broadcast(condition.shape, first.shape), second.shape)
    return call.make(Code.SELECT_V2, [condition, first, second], shape, schema.SelectV2OptionsT(), like.dtype)


def reduce(call: Call, code: int, x: Tensor, axes: Axes, *, keeps_axes: bool = True) -> Tensor:
    """Return the reduction over ``axes``, which stay with size one unless told."""
    require_axes(call, x)
    if 0 in x.shape and code in _WITHOUT_NEUTRAL:
        raise call.refusal("a reduction of no elements")
    options = schema.ReducerOptionsT()
    options.keepDims = keeps_axes
    if isinstance(axes, Tensor):
        count = axes.shape[0]
        assert count is not None or keeps_axes, "the rank of the result is known"
        rank = len(x.shape) - (0 if keeps_axes else count or 0)
        return call.make(code, [x, axes], [None] * rank, options)
    gone = {axis % len(x.shape) for axis in axes}
    wide = [axis for axis in sorted(gone) if x.shape[axis] != 1]
    if code in _SUMMING and x.dtype == "float32" and _is_long([x.shape[axis] for axis in wide]):
        for axis in wide[:0:-1]:
            x = reduce(call, code, x, [axis])
    shape = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keeps_axes or axis not in gone]
    return call.make(code, [x, call.constant(sorted(gone))], shape, options)


def _is_long(sizes: Sequence[int | None]) -> bool:
    """Tell whether elements over several axes are so many that summing them at once loses digits.

    Kernels add float32 numbers one by one: means over uniform 224 x 224 images are 40 units in the last place off
    (RMS), axis by axis 5, in the same time.
    """
    return len(sizes) > 1 and (None in sizes or prod(size or 1 for size in sizes) > _MOST_AT_ONCE)


def broadcast(one: Sequence[int | None], other: Sequence[int | None]) -> tuple[int | None, ...]:
    """Return the joint shape; a dynamic size against a known one other than 1 has to be that."""
    longer, shorter = sorted((tuple(one), tuple(other)), key=len, reverse=True)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    return tuple(b if a == 1 else a if b == 1 or a is not None else b for a, b in zip(longer, padded, strict=True))
