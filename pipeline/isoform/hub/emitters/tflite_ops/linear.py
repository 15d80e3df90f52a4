"""Matrix products: a constant right-hand side becomes FULLY_CONNECTED, bias and activation taken in."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.call import sizes as sizes_of
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.hybrid import require_hybrid
from isoform.hub.emitters.tflite_ops.quantization import is_layer_weight, layer_weight

_LARGEST_RANK = 5


@op("Gemm")
def gemm(call: Call) -> Tensor:
    """Return alpha * A' B' + beta * C, the weights as they are; factors are multiplied at run time."""
    require_dtype(call, call[0], FLOATS)
    alpha, beta = call.float("alpha", 1.0), call.float("beta", 1.0)
    perm = (0, 1) if call.int("transB", 0) else (1, 0)
    if not call.int("transA", 0) and alpha == 1.0 and _is_matrix(call):
        row = _row(call, sizes_of(call.node.inputs[1], call)[perm[0]])
        if not call.has(2) or (row is not None and beta == 1.0):
            return fully_connected(call, call[0], _kernel(call, perm), row, call.shape)
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
    left = call[0]
    require_dtype(call, left, FLOATS)
    if len(left.shape) > 1 and _is_matrix(call):
        kernel = _kernel(call, (1, 0))
        return fully_connected(call, left, kernel, call.take_bias(kernel.shape[0] or 0), call.shape)
    right = call[1]
    ranks = len(left.shape), len(right.shape)
    if max(ranks) > _LARGEST_RANK:
        raise call.refusal(f"more than {_LARGEST_RANK} axes")
    if min(ranks) > 1:
        return call.make(Code.BATCH_MATMUL, [left, right], call.shape, schema.BatchMatMulOptionsT())
    return _product_with_vector(call, left, right)


@op("MatMul", domain=FUSED_DOMAIN)
def matmul_of_stored(call: Call) -> Tensor:
    """Return A @ B' of two computed matrices or stacks of them; B may be stored in eight bits."""
    require_dtype(call, call[0], FLOATS)
    if is_layer_weight(call, 1) and _is_matrix(call) and len(call[0].shape) > 1:
        kernel = _kernel(call, (0, 1))
        return fully_connected(call, call[0], kernel, call.take_bias(kernel.shape[0] or 0), call.shape)
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


def _is_matrix(call: Call) -> bool:
    """Return whether the right-hand side is a constant matrix, of numbers or of integers that are dequantised."""
    value = call.node.inputs[1]
    is_constant = call.array(1) is not None or is_layer_weight(call, 1)
    return is_constant and value is not None and value.shape is not None and len(value.shape) == 2


def _kernel(call: Call, perm: tuple[int, int]) -> Tensor:
    """Return such a matrix as [units, features]."""
    array, value = call.array(1), call.node.inputs[1]
    if array is None or value is None:
        return layer_weight(call, 1, perm)
    return call.graph.constant(array.transpose(perm), str(value.name))


def _row(call: Call, units: int | None) -> Tensor | None:
    """Return a constant bias as [units]; None where it is none of that size."""
    array = call.array(2)
    if array is None and call.has(2):
        array = call[2].array
    if array is None or array.shape[-1:] != (units,) or array.size != units:
        return None
    value = call.node.inputs[2]
    return call.graph.constant(array.reshape(-1), str(value.name if value is not None else "bias"))


def fully_connected(
    call: Call, x: Tensor, kernel: Tensor, bias: Tensor | None, shape: tuple[int | None, ...]
) -> Tensor:
    """Return x [..., features] times kernel [units, features], transposed, plus bias [units]."""
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(shape) > 2
    options.fusedActivationFunction = call.take_activation()
    options.asymmetricQuantizeInputs = require_hybrid(call.graph.file, Code.FULLY_CONNECTED, kernel)
    return call.make(Code.FULLY_CONNECTED, [x, kernel, bias], shape, options)
