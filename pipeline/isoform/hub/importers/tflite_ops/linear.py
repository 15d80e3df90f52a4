"""Matrix products and tables of embeddings."""

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.frame import is_quantized


@op("FULLY_CONNECTED")
def fully_connected(call: Call) -> ir.Value:
    """Weights [units, features]; the data is a matrix in what comes out unless its axes are kept."""
    options = call.operator.options
    if options.weightsFormat != schema.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise call.refusal("weights in shuffled order")
    rank, features = call.rank(0), call.tensor(1).shape[1]
    bias = call.bias(2)
    if options.keepNumDims and rank != 2:
        weight = call.weight(1, lambda array: array.T, 1, [1, 0])
        result = call.emit("MatMul", call[0], weight)
        result = result if bias is None else call.emit("Add", result, bias)
    else:
        if features is None:
            raise call.refusal("a weight of unknown size")
        is_matrix = rank == 2 and call.tensor(0).shape[1] == features
        flat = call.ints(-1, features)
        x = call[0] if is_matrix else call.moved(0, lambda value: call.emit("Reshape", value, flat))
        weight = call.weight(1, lambda array: array, 0, [0, 1])
        result = call.emit("Gemm", *([x, weight] if bias is None else [x, weight, bias]), transB=1)
    return call.activated(result, options.fusedActivationFunction)


@op("BATCH_MATMUL")
def batch_matmul(call: Call) -> ir.Value:
    options = call.operator.options
    left = _last_two_swapped(call, 0) if options.adjX else call[0]
    right = _last_two_swapped(call, 1) if options.adjY else call[1]
    return call.emit("MatMul", left, right)


def _last_two_swapped(call: Call, index: int) -> ir.Value:
    rank = call.rank(index)
    perm = [*range(rank - 2), rank - 1, rank - 2]
    tensor = call.tensor(index)
    if tensor.quantization is not None and tensor.quantization.is_per_channel:
        return call.transposed(call[index], perm)
    return call.weight(index, lambda array: array.transpose(perm), 0, perm)


@op("EMBEDDING_LOOKUP")
def embedding_lookup(call: Call) -> ir.Value:
    """Return rows of a table; integers with one scale become numbers after they are picked."""
    tensor = call.tensor(1)
    if not is_quantized(tensor) or (tensor.quantization is not None and tensor.quantization.is_per_channel):
        return call.emit("Gather", call[1], call[0], axis=0)
    rows = call.emit("Gather", call.frame.stored(call.operator.inputs[1]), call[0], axis=0)
    return call.frame.dequantized(rows, tensor)
