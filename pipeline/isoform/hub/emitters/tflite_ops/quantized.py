"""Operators of the domain ``isoform.quantized``: LiteRT's integer kernels, tensors carrying scales and zero points."""

from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import QUANTIZED_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.passes.quantized import noted

_VERSION_OF_CHANNELS = 12
"""Of FULLY_CONNECTED with one scale for each unit."""
_VERSIONS = {
    Code.ADD: 4, Code.AVERAGE_POOL_2D: 2, Code.BATCH_MATMUL: 2, Code.CONCATENATION: 2, Code.CONV_2D: 6,
    Code.DEPTHWISE_CONV_2D: 3, Code.ELU: 1, Code.FULLY_CONNECTED: 6, Code.GELU: 2, Code.HARD_SWISH: 1,
    Code.LEAKY_RELU: 2, Code.LOGISTIC: 2, Code.MAXIMUM: 2, Code.MAX_POOL_2D: 2, Code.MEAN: 2, Code.MINIMUM: 2,
    Code.MUL: 6, Code.PRELU: 1, Code.QUANTIZE: 2, Code.REDUCE_MAX: 2, Code.REDUCE_MIN: 2, Code.RELU: 2,
    Code.RESIZE_BILINEAR: 3, Code.RESIZE_NEAREST_NEIGHBOR: 3, Code.SOFTMAX: 2, Code.SUB: 5, Code.TANH: 2,
    Code.TRANSPOSE_CONV: 3,
}  # fmt: skip
"""The versions that compute in int8."""
_UNARY = {
    "Elu": Code.ELU, "HardSwish": Code.HARD_SWISH, "Relu": Code.RELU, "Sigmoid": Code.LOGISTIC, "Tanh": Code.TANH,
}  # fmt: skip
_EXTREMES = {"Max": Code.MAXIMUM, "Min": Code.MINIMUM}
_REDUCING = {"Mean": Code.MEAN, "ReduceMax": Code.REDUCE_MAX, "ReduceMin": Code.REDUCE_MIN}
_ARITHMETIC: dict[str, tuple[int, Any]] = {
    "Add": (Code.ADD, schema.AddOptionsT),
    "Mul": (Code.MUL, schema.MulOptionsT),
    "Sub": (Code.SUB, schema.SubOptionsT),
}


def quantized(call: Call, code: int, inputs: Sequence[Tensor | None], options: Any = None, version: int = 1) -> Tensor:
    """Return what an integer kernel computes: a tensor of what is noted of the node's output."""
    found = noted(call.node.outputs[0])
    assert found is not None, "the rules note every result"
    result = call.graph.tensor(str(call.node.outputs[0].name), found.dtype, call.shape, found)
    call.graph.file.require_version(code, max(version, _VERSIONS[code]))
    call.graph.add(code, inputs, [result], options)
    return result


def activation(call: Call) -> int:
    """Return the fused activation that the node names."""
    return int(getattr(schema.ActivationFunctionType, call.string("activation", "NONE")))


@op("Requantize", domain=QUANTIZED_DOMAIN)
def requantize(call: Call) -> Tensor:
    """Return the same numbers in integers of another scale."""
    return quantized(call, Code.QUANTIZE, [call[0]], schema.QuantizeOptionsT())


@op("Linear", domain=QUANTIZED_DOMAIN)
def linear(call: Call) -> Tensor:
    """Return x [..., features] times a kernel [units, features], transposed, plus a bias [units]."""
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(call.shape) > 2
    options.fusedActivationFunction = activation(call)
    weight = call[1]
    is_per_channel = weight.quantization is not None and weight.quantization.axis is not None
    version = _VERSION_OF_CHANNELS if is_per_channel else 1
    return quantized(call, Code.FULLY_CONNECTED, [call[0], weight, call.get(2)], options, version)


@op("MatMul", domain=QUANTIZED_DOMAIN)
def mat_mul(call: Call) -> Tensor:
    options = schema.BatchMatMulOptionsT()
    options.adjY = bool(call.int("transB", 0))
    return quantized(call, Code.BATCH_MATMUL, [call[0], call[1]], options)


@op(*_ARITHMETIC, domain=QUANTIZED_DOMAIN)
def arithmetic(call: Call) -> Tensor:
    code, make = _ARITHMETIC[call.node.op_type]
    options = make()
    options.fusedActivationFunction = activation(call)
    return quantized(call, code, [call[0], call[1]], options)


@op(*_EXTREMES, domain=QUANTIZED_DOMAIN)
def extreme(call: Call) -> Tensor:
    options = schema.MaximumMinimumOptionsT()
    return quantized(call, _EXTREMES[call.node.op_type], [call[0], call[1]], options)


@op(*_UNARY, domain=QUANTIZED_DOMAIN)
def unary(call: Call) -> Tensor:
    return quantized(call, _UNARY[call.node.op_type], [call[0]])


@op("LeakyRelu", domain=QUANTIZED_DOMAIN)
def leaky_relu(call: Call) -> Tensor:
    options = schema.LeakyReluOptionsT()
    options.alpha = call.float("alpha", 0.01)
    return quantized(call, Code.LEAKY_RELU, [call[0]], options)


@op("PRelu", domain=QUANTIZED_DOMAIN)
def prelu(call: Call) -> Tensor:
    return quantized(call, Code.PRELU, [call[0], call[1]])


@op("Gelu", domain=QUANTIZED_DOMAIN)
def gelu(call: Call) -> Tensor:
    options = schema.GeluOptionsT()
    options.approximate = call.string("approximate", "none") == "tanh"
    return quantized(call, Code.GELU, [call[0]], options)


@op("Softmax", domain=QUANTIZED_DOMAIN)
def softmax(call: Call) -> Tensor:
    """Return softmax along the last axis."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return quantized(call, Code.SOFTMAX, [call[0]], options)


@op(*_REDUCING, domain=QUANTIZED_DOMAIN)
def reduce(call: Call) -> Tensor:
    options = schema.ReducerOptionsT()
    options.keepDims = bool(call.int("keepdims", 1))
    return quantized(call, _REDUCING[call.node.op_type], [call[0], call.constant(call.ints("axes"))], options)


@op("Concat", domain=QUANTIZED_DOMAIN)
def concatenate(call: Call) -> Tensor:
    options = schema.ConcatenationOptionsT()
    options.axis = call.int("axis", 0) % len(call.shape)
    return quantized(call, Code.CONCATENATION, [call[index] for index in range(len(call.node.inputs))], options)
