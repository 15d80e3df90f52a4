"""Operators that work element by element, on one tensor or on several that broadcast."""

from functools import reduce
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, Emit, op

FLOATS = ("float32",)
NUMBERS = ("float32", "int32", "int64")

_UNARY = {
    "Abs": (Code.ABS, FLOATS),
    "Ceil": (Code.CEIL, FLOATS),
    "Cos": (Code.COS, FLOATS),
    "Exp": (Code.EXP, FLOATS),
    "Floor": (Code.FLOOR, FLOATS),
    "Log": (Code.LOG, FLOATS),
    "Neg": (Code.NEG, NUMBERS),
    "Not": (Code.LOGICAL_NOT, ("bool",)),
    "Round": (Code.ROUND, FLOATS),
    "Sign": (Code.SIGN, FLOATS),
    "Sin": (Code.SIN, FLOATS),
    "Sqrt": (Code.SQRT, FLOATS),
}
_BINARY = {
    "Add": (Code.ADD, schema.AddOptionsT, NUMBERS),
    "And": (Code.LOGICAL_AND, None, ("bool",)),
    "Div": (Code.DIV, schema.DivOptionsT, FLOATS),
    "Mul": (Code.MUL, schema.MulOptionsT, NUMBERS),
    "Or": (Code.LOGICAL_OR, None, ("bool",)),
    "Sub": (Code.SUB, schema.SubOptionsT, NUMBERS),
}
_COMPARING = {
    "Equal": Code.EQUAL,
    "Greater": Code.GREATER,
    "GreaterOrEqual": Code.GREATER_EQUAL,
    "Less": Code.LESS,
    "LessOrEqual": Code.LESS_EQUAL,
}
_FUSING = ("Add", "Sub", "Mul", "Div")


def require_dtype(call: Call, tensor: Tensor, allowed: tuple[str, ...]) -> None:
    """Raise the refusal of this operator for a dtype that its kernel lacks."""
    if tensor.dtype not in allowed:
        raise call.refusal(f"it works on {tensor.dtype}")


def _unary(code: int, allowed: tuple[str, ...]) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], allowed)
        return call.make(code, [call[0]], call.shape)

    return emit


def _binary(code: int, options: Any, allowed: tuple[str, ...], can_fuse: bool) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], allowed)
        filled = options() if options else None
        if can_fuse and filled is not None and call.dtype == "float32":
            filled.fusedActivationFunction = call.take_activation()
        return call.make(code, [call[0], call[1]], call.shape, filled)

    return emit


def _comparing(code: int) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], NUMBERS)
        return call.make(code, [call[0], call[1]], call.shape, dtype="bool")

    return emit


for _name, (_code, _allowed) in _UNARY.items():
    op(_name)(_unary(_code, _allowed))
for _name, (_code, _options, _allowed) in _BINARY.items():
    op(_name, since=7)(_binary(_code, _options, _allowed, _name in _FUSING))
for _name, _code in _COMPARING.items():
    op(_name, since=7)(_comparing(_code))


@op("Pow", since=7)
def power(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    require_dtype(call, call[1], FLOATS)
    return call.make(Code.POW, [call[0], call[1]], call.shape)


@op("Reciprocal")
def reciprocal(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return call.make(Code.DIV, [call.constant(1.0, "float32"), call[0]], call.shape, schema.DivOptionsT())


@op("Max", since=8)
def maximum(call: Call) -> Tensor:
    return _folded(call, Code.MAXIMUM)


@op("Min", since=8)
def minimum(call: Call) -> Tensor:
    return _folded(call, Code.MINIMUM)


@op("Sum", since=8)
def total(call: Call) -> Tensor:
    return _folded(call, Code.ADD, schema.AddOptionsT)


def _folded(call: Call, code: int, options: Any = schema.MaximumMinimumOptionsT) -> Tensor:
    tensors = [call[index] for index in range(len(call.node.inputs))]
    require_dtype(call, tensors[0], NUMBERS)
    return reduce(lambda one, other: call.make(code, [one, other], _broadcast(one, other), options()), tensors)


def _broadcast(one: Tensor, other: Tensor) -> list[int | None]:
    longer, shorter = sorted((one.shape, other.shape), key=len, reverse=True)
    padded = (1,) * (len(longer) - len(shorter)) + tuple(shorter)
    return [b if a == 1 else a if b == 1 or a is not None else b for a, b in zip(longer, padded, strict=True)]


@op("Clip", since=11)
def clip(call: Call) -> Tensor:
    """Return x between the bounds that are there."""
    x = call[0]
    require_dtype(call, x, NUMBERS)
    for index, code in ((1, Code.MAXIMUM), (2, Code.MINIMUM)):
        bound = call.get(index)
        if bound is not None:
            x = call.make(code, [x, bound], call.shape, schema.MaximumMinimumOptionsT())
    return x


@op("Where", since=9)
def where(call: Call) -> Tensor:
    return call.make(Code.SELECT_V2, [call[0], call[1], call[2]], call.shape, schema.SelectV2OptionsT(), call.dtype)


@op("Mod", since=10)
def modulo(call: Call) -> Tensor:
    """Return the remainder with the divisor's sign; with ``fmod`` it has the dividend's, which TFLite lacks."""
    require_dtype(call, call[0], ("int32", "int64"))
    if call.int("fmod", 0):
        raise call.refusal("fmod")
    return call.make(Code.FLOOR_MOD, [call[0], call[1]], call.shape)
