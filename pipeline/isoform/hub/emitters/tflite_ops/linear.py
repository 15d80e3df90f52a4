"""Matrix products: a constant right-hand side becomes FULLY_CONNECTED, bias and activation taken in."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op


@op("Gemm")
def gemm(call: Call) -> Tensor:
    """Return alpha * A' B' + beta * C, the weights as they are where alpha and beta are 1."""
    weight, bias = call.array(1), call.array(2)
    has_bias = call.get(2) is not None
    plain = call.float("alpha", 1.0) == 1.0 and (not has_bias or call.float("beta", 1.0) == 1.0)
    if weight is None or call.int("transA", 0) or not plain or (has_bias and bias is None):
        raise call.refusal("a product of two computed matrices, or one with factors,")
    kernel = weight if call.int("transB", 0) else np.ascontiguousarray(weight.T)  # [units, features]
    units = kernel.shape[0]
    row = None
    if bias is not None:
        if bias.size != units:
            raise call.refusal("a bias that is not one row")
        row = call.graph.constant(bias.reshape(-1), _name(call, 2))
    return fully_connected(call, call[0], kernel, row, call.shape)


@op("MatMul")
def matmul(call: Call) -> Tensor:
    """Return A @ B; FULLY_CONNECTED over the last axis where B is a constant matrix, else BATCH_MATMUL."""
    weight = call.array(1)
    left = call[0]
    if weight is not None and weight.ndim == 2 and len(left.shape) >= 2 and call.dtype == "float32":
        kernel = np.ascontiguousarray(weight.T)  # [units, features]
        return fully_connected(call, left, kernel, call.take_bias(kernel.shape[0]), call.shape)
    if len(left.shape) < 2 or len(call[1].shape) < 2:
        raise call.refusal("a product with a vector")
    options = schema.BatchMatMulOptionsT()
    return call.make(Code.BATCH_MATMUL, [left, call[1]], call.shape, options)


def fully_connected(call: Call, x: Tensor, kernel: Array, bias: Tensor | None, shape: tuple[int | None, ...]) -> Tensor:
    """Return x [..., features] times kernel [units, features], transposed, plus bias [units]."""
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(shape) > 2
    options.fusedActivationFunction = call.take_activation()
    weight = call.graph.constant(kernel, _name(call, 1))
    return call.make(Code.FULLY_CONNECTED, [x, weight, bias], shape, options)


def _name(call: Call, index: int) -> str:
    value = call.node.inputs[index]
    return str(value.name) if value is not None else call.node.op_type
