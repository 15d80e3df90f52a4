"""Matrix products: a constant right-hand side becomes FULLY_CONNECTED, bias and activation taken in."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype

_LARGEST_RANK = 5


@op("Gemm")
def gemm(call: Call) -> Tensor:
    """Return alpha * A' B' + beta * C, the weights as they are; factors are multiplied at run time."""
    require_dtype(call, call[0], FLOATS)
    weight, bias = call.array(1), call.array(2)
    alpha, beta = call.float("alpha", 1.0), call.float("beta", 1.0)
    if weight is not None and not call.int("transA", 0) and alpha == 1.0:
        kernel = weight if call.int("transB", 0) else weight.T  # [units, features]
        if not call.has(2):
            return fully_connected(call, call[0], kernel, None, call.shape)
        if bias is not None and bias.shape[-1:] == kernel.shape[:1] and bias.size == len(kernel) and beta == 1.0:
            row = call.graph.constant(bias.reshape(-1), _name(call, 2))
            return fully_connected(call, call[0], kernel, row, call.shape)
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = bool(call.int("transA", 0)), bool(call.int("transB", 0))
    product = call.make(Code.BATCH_MATMUL, [call[0], call[1]], call.shape, options)
    product = product if alpha == 1.0 else mul(call, product, alpha)
    added = call.get(2)
    if added is None:
        return product
    return add(call, product, added if beta == 1.0 else mul(call, added, beta))


@op("MatMul")
def matmul(call: Call) -> Tensor:
    """Return A @ B; FULLY_CONNECTED over the last axis where B is a constant matrix, else BATCH_MATMUL."""
    weight, left = call.array(1), call[0]
    require_dtype(call, left, FLOATS)
    if weight is not None and weight.ndim == 2 and len(left.shape) >= 2:
        kernel = weight.T  # [units, features]
        return fully_connected(call, left, kernel, call.take_bias(kernel.shape[0]), call.shape)
    right = call[1]
    ranks = len(left.shape), len(right.shape)
    if max(ranks) > _LARGEST_RANK:
        raise call.refusal(f"more than {_LARGEST_RANK} axes")
    if min(ranks) > 1:
        return call.make(Code.BATCH_MATMUL, [left, right], call.shape, schema.BatchMatMulOptionsT())
    return _product_with_vector(call, left, right)


@op("MatMul", domain=FUSED_DOMAIN)
def matmul_of_stored(call: Call) -> Tensor:
    """Return A @ B' of two computed matrices or stacks of them."""
    require_dtype(call, call[0], FLOATS)
    options = schema.BatchMatMulOptionsT()
    options.adjY = True
    return call.make(Code.BATCH_MATMUL, [call[0], call[1]], call.shape, options)


def _product_with_vector(call: Call, left: Tensor, right: Tensor) -> Tensor:
    """Return the product of which one side or both have one axis, which it gets a second one for."""
    shape = list(call.shape)
    were_vectors = len(left.shape) == 1, len(right.shape) == 1
    if len(right.shape) == 1:
        right = _with_axis(call, right, 1)
        shape = [*shape, 1]
    if len(left.shape) == 1:
        left = _with_axis(call, left, 0)
        shape = [*shape[:-1], 1, shape[-1]]
    product = call.make(Code.BATCH_MATMUL, [left, right], shape, schema.BatchMatMulOptionsT())
    options = schema.SqueezeOptionsT()
    options.squeezeDims = [axis for axis, is_vector in enumerate(were_vectors, len(shape) - 2) if is_vector]
    return call.make(Code.SQUEEZE, [product], call.shape, options)


def _with_axis(call: Call, x: Tensor, axis: int) -> Tensor:
    shape = [*x.shape[:axis], 1, *x.shape[axis:]]
    return call.make(Code.EXPAND_DIMS, [x, call.constant(axis)], shape, schema.ExpandDimsOptionsT())


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
