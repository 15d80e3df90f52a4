"""Operators that work element by element, on one tensor or on several that broadcast.

Integers that a kernel lacks are computed in a wider type and cast back, which wraps around as ONNX does.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops import arithmetic
from isoform.hub.emitters.tflite_ops.call import Call, Code, Emit, op
from isoform.hub.emitters.tflite_ops.moving import cast
from isoform.hub.passes.fold_weights import constant

FLOATS = ("float32",)
NUMBERS = ("float32", "int32", "int64")
WIDER = {"int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int64", "uint32": "int64"}

_UNARY = {
    "Ceil": (Code.CEIL, FLOATS),
    "Cos": (Code.COS, FLOATS),
    "Exp": (Code.EXP, FLOATS),
    "Floor": (Code.FLOOR, FLOATS),
    "Log": (Code.LOG, FLOATS),
    "Not": (Code.LOGICAL_NOT, ("bool",)),
    "Round": (Code.ROUND, FLOATS),
    "Sin": (Code.SIN, FLOATS),
    "Sqrt": (Code.SQRT, FLOATS),
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
_SIZE_OPERATORS = {"Add", "Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Slice", "Squeeze", "Unsqueeze", "Size"}


def require_dtype(call: Call, tensor: Tensor, allowed: tuple[str, ...]) -> None:
    """Raise the refusal of this operator for a dtype that its kernel lacks."""
    if tensor.dtype not in allowed:
        raise call.refusal(f"it works on {tensor.dtype}")


def widened(call: Call, tensors: list[Tensor], compute: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Return ``compute`` of the tensors, in a wider integer type and cast back where theirs has no kernel."""
    dtype = tensors[0].dtype
    if dtype not in WIDER:
        return compute(tensors)
    result = compute([cast(call, tensor, WIDER[dtype]) for tensor in tensors])
    return result if result.dtype == "bool" else cast(call, result, dtype)


def joint_shape(call: Call, tensors: Sequence[Tensor]) -> tuple[int | None, ...]:
    """Return the shape that tensors broadcast to, where the graph does not tell it."""
    if call.node.outputs[0].shape is not None:
        return call.shape
    return reduce(arithmetic.broadcast, (tensor.shape for tensor in tensors), ())


def _unary(code: int, allowed: tuple[str, ...]) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], allowed)
        return call.make(code, [call[0]], call[0].shape)

    return emit


def _binary(code: int, options: Any) -> Emit:
    def emit(call: Call) -> Tensor:
        require_dtype(call, call[0], (*NUMBERS, *WIDER))
        filled = options()
        if call[0].dtype == "float32":
            filled.fusedActivationFunction = call.take_activation()
        return widened(call, [call[0], call[1]], lambda both: call.make(code, both, joint_shape(call, both), filled))

    return emit


def _comparing(code: int) -> Emit:
    def emit(call: Call) -> Tensor:
        both = [call[0], call[1]]
        require_dtype(call, both[0], (*NUMBERS, *WIDER, *(["bool"] if code == Code.EQUAL else [])))
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


@op("Abs")
def absolute(call: Call) -> Tensor:
    require_dtype(call, call[0], ("float32", "int32", *WIDER))
    return widened(call, [call[0]], lambda x: call.make(Code.ABS, x, x[0].shape))


@op("Neg")
def negative(call: Call) -> Tensor:
    require_dtype(call, call[0], (*NUMBERS, *WIDER))
    return widened(call, [call[0]], lambda x: call.make(Code.NEG, x, x[0].shape))


@op("Sign")
def sign(call: Call) -> Tensor:
    require_dtype(call, call[0], ("float32", "int32", *WIDER))
    return widened(call, [call[0]], lambda x: call.make(Code.SIGN, x, x[0].shape))


@op("Div", since=7)
def divide(call: Call) -> Tensor:
    """Return the quotient, integers truncated; int64 only where it counts sizes, which int32 holds as well."""
    both = [call[0], call[1]]
    options = schema.DivOptionsT()
    shape = joint_shape(call, both)
    if both[0].dtype == "int64" and all(map(_is_size, call.node.inputs)):
        narrow = [cast(call, tensor, "int32") for tensor in both]
        return cast(call, call.make(Code.DIV, narrow, shape, options), "int64")
    require_dtype(call, both[0], ("float32", "int32", "int8", "uint8", "int16"))
    if both[0].dtype == "float32":
        options.fusedActivationFunction = call.take_activation()
    return widened(call, both, lambda both: call.make(Code.DIV, both, shape, options))


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


@op("Pow", since=7)
def power(call: Call) -> Tensor:
    """Return x to the power y; a square and a root have kernels of their own, which are faster and exact."""
    x, y, exponent = call[0], call[1], call.array(1)
    require_dtype(call, x, ("float32", "int32"))
    if exponent is not None and exponent.size == 1 and exponent.ndim <= len(x.shape) and x.dtype == "float32":
        code = {2.0: Code.SQUARE, 0.5: Code.SQRT}.get(float(exponent.reshape(-1)[0]))
        if code is not None:
            return call.make(code, [x], call.shape)
    if y.dtype != x.dtype:
        if x.dtype != "float32" or y.dtype == "uint64":
            raise call.refusal(f"{x.dtype} to the power of {y.dtype}")
        y = cast(call, y, x.dtype)
    if x.dtype == "int32" and (exponent is None or (exponent < 0).any()):
        raise call.refusal("an integer to a power that may be negative")
    return call.make(Code.POW, [x, y], call.shape)


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
    require_dtype(call, tensors[0], (*NUMBERS, *WIDER))
    return widened(call, tensors, lambda them: reduce(lambda a, b: arithmetic.binary(call, code, a, b), them))


@op("Clip", since=11)
def clip(call: Call) -> Tensor:
    """Return x between the bounds that are there."""
    low, high = call.array(1), call.array(2)
    if low is not None and high is not None and call.dtype == "float32" and (float(low), float(high)) == (0.0, 6.0):
        return call.make(Code.RELU6, [call[0]], call.shape)
    require_dtype(call, call[0], (*NUMBERS, *WIDER))
    codes = [code for index, code in ((1, Code.MAXIMUM), (2, Code.MINIMUM)) if call.has(index)]
    bounds = [bound for bound in (call.get(1), call.get(2)) if bound is not None]

    def bounded(tensors: list[Tensor]) -> Tensor:
        x, *limits = tensors
        for code, limit in zip(codes, limits, strict=True):
            x = arithmetic.binary(call, code, x, limit)
        return x

    return widened(call, [call[0], *bounds], bounded)


@op("Where", since=9)
def where(call: Call) -> Tensor:
    return call.make(Code.SELECT_V2, [call[0], call[1], call[2]], call.shape, schema.SelectV2OptionsT(), call.dtype)


@op("Mod", since=10)
def modulo(call: Call) -> Tensor:
    """Return the remainder with the divisor's sign, or with ``fmod`` that of the sizes with the dividend's sign."""
    both = [call[0], call[1]]
    require_dtype(call, both[0], (*NUMBERS, *WIDER))
    if not call.int("fmod", 0):
        return widened(call, both, lambda both: call.make(Code.FLOOR_MOD, both, call.shape))
    if call.dtype == "int64":
        raise call.refusal("fmod of int64")
    return widened(call, both, lambda both: _signed_remainder(call, *both))


def _signed_remainder(call: Call, x: Tensor, y: Tensor) -> Tensor:
    sizes = [arithmetic.unary(call, Code.ABS, each) for each in (x, y)]
    return arithmetic.mul(
        call, arithmetic.unary(call, Code.SIGN, x), arithmetic.binary(call, Code.FLOOR_MOD, sizes[0], sizes[1])
    )


@op("IsNaN", since=9)
def is_nan(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return arithmetic.compare(call, Code.NOT_EQUAL, call[0], call[0])


@op("IsInf", since=10)
def is_inf(call: Call) -> Tensor:
    """Return where x is an infinity of a sign that is asked for."""
    require_dtype(call, call[0], FLOATS)
    positive, negative = call.int("detect_positive", 1), call.int("detect_negative", 1)
    x = call[0] if not (positive and negative) else arithmetic.unary(call, Code.ABS, call[0])
    if not positive and not negative:
        return arithmetic.compare(call, Code.LESS, x, x)
    return arithmetic.compare(call, Code.EQUAL, x, np.inf if positive else -np.inf)


@op("BitwiseXor", since=18)
def bitwise_xor(call: Call) -> Tensor:
    require_dtype(call, call[0], ("int8", "uint8", "int16", "uint16", "int32", "uint32"))
    return call.make(Code.BITWISE_XOR, [call[0], call[1]], call.shape, schema.BitwiseXorOptionsT())
