"""Operators of one input that work element by element, comparisons and logic."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.fourier import part
from isoform.hub.importers.tflite_ops.table import Reading

_UNARY = {
    "ABS": "Abs", "CEIL": "Ceil", "COS": "Cos", "EXP": "Exp", "FLOOR": "Floor", "HARD_SWISH": "HardSwish", "LOG": "Log",
    "LOGISTIC": "Sigmoid", "NEG": "Neg", "RELU": "Relu", "ROUND": "Round", "SIGN": "Sign", "SIN": "Sin", "SQRT": "Sqrt",
    "TANH": "Tanh",
}  # fmt: skip
_COMPARISONS = {
    "EQUAL": "Equal", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LESS": "Less",
    "LESS_EQUAL": "LessOrEqual",
}  # fmt: skip
_CLIPS = {"RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1), "RELU_0_TO_1": (0, 1)}


@op(*_UNARY)
def unary(call: Call) -> ir.Value:
    return call.emit(_UNARY[call.operator.name], call[0])


@op(*_CLIPS)
def clipped(call: Call) -> ir.Value:
    bounds = _CLIPS[call.operator.name]
    return call.emit("Clip", call[0], *(call.number(bound, call.real_dtype(0)) for bound in bounds))


@op("ELU")
def elu(call: Call) -> ir.Value:
    return call.emit("Elu", call[0])


@op("LEAKY_RELU")
def leaky_relu(call: Call) -> ir.Value:
    return call.emit("LeakyRelu", call[0], alpha=float(call.operator.options.alpha))


@op("GELU")
def gelu(call: Call) -> ir.Value:
    return call.emit("Gelu", call[0], approximate="tanh" if call.operator.options.approximate else "none")


@op("RSQRT")
def rsqrt(call: Call) -> ir.Value:
    return call.emit("Reciprocal", call.emit("Sqrt", call[0]))


@op("SQUARE")
def square(call: Call) -> ir.Value:
    return call.emit("Mul", call[0], call[0])


@op(*_COMPARISONS)
def comparison(call: Call) -> ir.Value:
    return call.emit(_COMPARISONS[call.operator.name], call[0], call[1])


@op("NOT_EQUAL")
def not_equal(call: Call) -> ir.Value:
    return call.emit("Not", call.emit("Equal", call[0], call[1]))


@op("LOGICAL_AND", "LOGICAL_OR")
def logical(call: Call) -> ir.Value:
    return call.emit("And" if call.operator.name == "LOGICAL_AND" else "Or", call[0], call[1])


@op("LOGICAL_NOT")
def logical_not(call: Call) -> ir.Value:
    return call.emit("Not", call[0])


@op("CAST", reading=Reading.STORED)
def cast(call: Call) -> ir.Value:
    """Return the input in the output's dtype; a constant becomes one, for the weights that are stored in half."""
    dtype = call.result().dtype
    if call.is_complex(0) and dtype == "float32":
        return part(call, 0)
    if dtype not in ("bool", *np.sctypeDict):
        raise call.refusal(f"a cast to {dtype}")
    if call.tensor(0).dtype == dtype:
        return call[0]
    return call.cast(call[0], dtype)
