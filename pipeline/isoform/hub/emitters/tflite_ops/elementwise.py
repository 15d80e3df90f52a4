"""Operators that work element by element, on one tensor or on several that broadcast.

Integers that a kernel lacks are computed in a wider type and cast back, which wraps around as ONNX does.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops import arithmetic
from isoform.hub.emitters.tflite_ops.call import Call, Code, Emit, op
from isoform.hub.emitters.tflite_ops.infinities import kept_infinite, may_be_infinite
from isoform.hub.emitters.tflite_ops.moving import cast

FLOATS = ("float32",)
NUMBERS = ("float32", "int32", "int64")
ANY_NUMBERS = ("float32", "int32", "int64", "float16", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
"""What `widened` computes: in three of them, the others by way of those."""
_LOWEST = -(2**63)
WIDER = {
    "float16": "float32",
    "int8": "int32",
    "uint8": "int32",
    "int16": "int32",
    "uint16": "int64",
    "uint32": "int64",
}

_UNARY = {
    "Ceil": (Code.CEIL, FLOATS),
    "Cos": (Code.COS, FLOATS),
    "Exp": (Code.EXP, FLOATS),
    "Floor": (Code.FLOOR, FLOATS),
    "Log": (Code.LOG, FLOATS),
    "Not": (Code.LOGICAL_NOT, ("bool",)),
    "Round": (Code.ROUND, FLOATS),
    "Sin": (Code.SIN, FLOATS),
}
_BINARY = {
    "Add": (Code.ADD, schema.AddOptionsT),
    "Mul": (Code.MUL, schema.MulOptionsT),
    "Sub": (Code.SUB, schema.SubOptionsT),
}
_LOGICAL = {"And": Code.LOGICAL_AND, "Or": Code.LOGICAL_OR, "Xor": Code.NOT_EQUAL}
_COMPARING = {
    "Equal": Code.EQUAL,
    "Greater": Code.GREATER,
    "GreaterOrEqual": Code.GREATER_EQUAL,
    "Less": Code.LESS,
    "LessOrEqual": Code.LESS_EQUAL,
}


def require_dtype(call: Call, tensor: Tensor, allowed: tuple[str, ...]) -> None:
    """Raise the refusal of this operator for a dtype that its kernel lacks."""
    if tensor.dtype not in allowed:
        raise call.refusal(f"it works on {tensor.dtype}")


def widened(
    call: Call,
    tensors: Sequence[Tensor],
    compute: Callable[[Sequence[Tensor]], Tensor],
    wider: Mapping[str, str] | None = None,
    *,
    orders: bool = True,
) -> Tensor:
    """Return ``compute`` of the tensors, in a wider type and cast back where theirs has no kernel.

    Args:
        wider: which type stands for which, ``WIDER`` unless given.
        orders: whether the result depends on which number is larger.
    """
    dtype, wider = tensors[0].dtype, WIDER if wider is None else wider
    if dtype == "uint64":
        return _as_signed(call, tensors, compute, orders)
    if dtype not in wider:
        return compute(tensors)
    result = compute([cast(call, tensor, wider[dtype]) for tensor in tensors])
    return result if result.dtype == "bool" else cast(call, result, dtype)


def _as_signed(
    call: Call, tensors: Sequence[Tensor], compute: Callable[[Sequence[Tensor]], Tensor], orders: bool
) -> Tensor:
    """Return ``compute`` of the bits of uint64 as int64, the largest bit turned round where the order counts."""
    signed = [bits(call, tensor, "int64") for tensor in tensors]
    if orders:
        signed = [arithmetic.add(call, tensor, _LOWEST) for tensor in signed]
    result = compute(signed)
    if result.dtype == "bool":
        return result
    return bits(call, arithmetic.add(call, result, _LOWEST) if orders else result, "uint64")


def bits(call: Call, x: Tensor, dtype: str) -> Tensor:
    """Return the bits of x as another type of the same width."""
    return call.make(Code.BITCAST, [x], x.shape, schema.BitcastOptionsT(), dtype)


def joint_shape(call: Call, tensors: Sequence[Tensor]) -> tuple[int | None, ...]:
    """Return the shape that tensors broadcast to, where the graph does not tell it."""
    if call.node.outputs[0].shape is not None:
        return call.shape
    return reduce(arithmetic.broadcast, (tensor.shape for tensor in tensors), ())


def _unary(code: int, allowed: tuple[str, ...]) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], (*allowed, "float16") if "float32" in allowed else allowed)
        return widened(call, [call[0]], lambda x: call.make(code, x, x[0].shape))

    return emit


def _binary(code: int, options: Any) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], ANY_NUMBERS)
        filled = options()
        has_infinities = code == Code.ADD and any(map(may_be_infinite, call.node.inputs))
        if not has_infinities and call[0].dtype == "float32":
            filled.fusedActivationFunction = call.take_activation()
        both = [call[0], call[1]]
        shape = joint_shape(call, both)
        result = widened(call, both, lambda them: call.make(code, them, shape, filled), orders=False)
        return kept_infinite(call, result) if has_infinities else result

    return emit


def _comparing(code: int) -> Emit:
    def emit(call: Call) -> Tensor:
        both = [call[0], call[1]]
        require_dtype(call, both[0], (*ANY_NUMBERS, *(["bool"] if code == Code.EQUAL else [])))
        return widened(call, both, lambda both: call.make(code, both, joint_shape(call, both), dtype="bool"))

    return emit


def _logical(code: int) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], ("bool",))
        return call.make(code, [call[0], call[1]], joint_shape(call, [call[0], call[1]]))

    return emit


for _name, (_code, _allowed) in _UNARY.items():
    op(_name)(_unary(_code, _allowed))
for _name, (_code, _options) in _BINARY.items():
    op(_name, since=7)(_binary(_code, _options))
for _name, _code in _COMPARING.items():
    op(_name, since=7)(_comparing(_code))
for _name, _code in _LOGICAL.items():
    op(_name, since=7)(_logical(_code))


@op("Sqrt")
def square_root(call: Call) -> Tensor:
    """Return the root, or its inverse at once where that is all that is read."""
    require_dtype(call, call[0], (*FLOATS, "float16"))
    inverted = call.only_follower("Reciprocal") if call.dtype == "float32" else None
    if inverted is not None:
        call.take(inverted)
    code = Code.SQRT if inverted is None else Code.RSQRT
    return widened(call, [call[0]], lambda x: call.make(code, x, x[0].shape))


@op("Reciprocal")
def reciprocal(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return arithmetic.div(call, 1.0, call[0])


@op("Max", since=8)
def maximum(call: Call) -> Tensor:
    return _folded(call, Code.MAXIMUM)


@op("Min", since=8)
def minimum(call: Call) -> Tensor:
    return _folded(call, Code.MINIMUM)


@op("Sum", since=8)
def total(call: Call) -> Tensor:
    return _folded(call, Code.ADD)


@op("Mean", since=8)
def mean(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return arithmetic.div(call, _folded(call, Code.ADD), float(len(call.node.inputs)))


def _folded(call: Call, code: int) -> Tensor:
    tensors = [call[index] for index in range(len(call.node.inputs))]
    require_dtype(call, tensors[0], ANY_NUMBERS)
    orders = code != Code.ADD
    return widened(
        call, tensors, lambda them: reduce(lambda a, b: arithmetic.binary(call, code, a, b), them), orders=orders
    )


@op("Clip", since=11)
def clip(call: Call) -> Tensor:
    """Return x between the bounds that are there."""
    low, high = call.array(1), call.array(2)
    if low is not None and high is not None and call.dtype == "float32" and (float(low), float(high)) == (0.0, 6.0):
        return call.make(Code.RELU6, [call[0]], call.shape)
    require_dtype(call, call[0], ANY_NUMBERS)
    codes = [code for index, code in ((1, Code.MAXIMUM), (2, Code.MINIMUM)) if call.has(index)]
    bounds = [bound for bound in (call.get(1), call.get(2)) if bound is not None]

    def bounded(tensors: Sequence[Tensor]) -> Tensor:
        x, *limits = tensors
        for code, limit in zip(codes, limits, strict=True):
            x = arithmetic.binary(call, code, x, limit)
        return x

    return widened(call, [call[0], *bounds], bounded)


@op("Where", since=9)
def where(call: Call) -> Tensor:
    return call.make(Code.SELECT_V2, [call[0], call[1], call[2]], call.shape, schema.SelectV2OptionsT(), call.dtype)


@op("IsNaN", since=9)
def is_nan(call: Call) -> Tensor:
    require_dtype(call, call[0], (*FLOATS, "float16"))
    return widened(call, [call[0]], lambda x: arithmetic.compare(call, Code.NOT_EQUAL, x[0], x[0]))


@op("IsInf", since=10)
def is_inf(call: Call) -> Tensor:
    """Return where x is an infinity of a sign that is asked for."""
    require_dtype(call, call[0], (*FLOATS, "float16"))
    positive, negative = call.int("detect_positive", 1), call.int("detect_negative", 1)

    def found(them: Sequence[Tensor]) -> Tensor:
        x = them[0] if not (positive and negative) else arithmetic.unary(call, Code.ABS, them[0])
        if not positive and not negative:
            return arithmetic.compare(call, Code.LESS, x, x)
        return arithmetic.compare(call, Code.EQUAL, x, np.inf if positive else -np.inf)

    return widened(call, [call[0]], found)
