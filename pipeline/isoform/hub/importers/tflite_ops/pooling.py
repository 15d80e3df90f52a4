"""Pooling over windows, channels last in the file and first in ONNX."""

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.convolution import SAME, TO_FIRST, TO_LAST, padding


@op("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(call: Call) -> ir.Value:
    """Return the windows' means, of the elements inside the image alone, or their largest elements."""
    name = "AveragePool" if call.operator.name == "AVERAGE_POOL_2D" else "MaxPool"
    result = _pooled(call, name, call.transposed(call[0], TO_FIRST[4]))
    return call.transposed(call.activated(result, call.operator.options.fusedActivationFunction), TO_LAST[4])


@op("L2_POOL_2D")
def l2_pool(call: Call) -> ir.Value:
    """Return the root of the windows' mean squares."""
    x = call.transposed(call[0], TO_FIRST[4])
    result = call.emit("Sqrt", _pooled(call, "AveragePool", call.emit("Mul", x, x)))
    return call.transposed(call.activated(result, call.operator.options.fusedActivationFunction), TO_LAST[4])


def _pooled(call: Call, name: str, x: ir.Value) -> ir.Value:
    options = call.operator.options
    kernel = [int(options.filterHeight), int(options.filterWidth)]
    strides = [int(options.strideH), int(options.strideW)]
    same = padding(options.padding == SAME, kernel, strides, [1, 1])
    return call.emit(name, x, kernel_shape=kernel, strides=strides, **same)
