"""Softmax and normalisation over channels, the last axis in the file."""

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.convolution import TO_FIRST, TO_LAST

_SMALLEST_NORM = 1e-6
"""What LiteRT's L2_NORMALIZATION divides by at least."""


@op("SOFTMAX")
def softmax(call: Call) -> ir.Value:
    beta = float(call.operator.options.beta)
    x = call[0] if beta == 1 else call.emit("Mul", call[0], call.number(beta, call.real_dtype(0)))
    return call.emit("Softmax", x, axis=-1)


@op("LOG_SOFTMAX")
def log_softmax(call: Call) -> ir.Value:
    return call.emit("LogSoftmax", call[0], axis=-1)


@op("L2_NORMALIZATION")
def l2_normalization(call: Call) -> ir.Value:
    norm = call.emit("ReduceL2", call[0], call.ints(-1), keepdims=1)
    norm = call.emit("Max", norm, call.number(_SMALLEST_NORM, call.real_dtype(0)))
    result = call.emit("Div", call[0], norm)
    return call.activated(result, call.operator.options.fusedActivationFunction if call.operator.options else 0)


@op("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(call: Call) -> ir.Value:
    """ONNX divides alpha by the number of channels in a window, TFLite does not."""
    options = call.operator.options
    size = 2 * int(options.radius) + 1
    x = call.transposed(call[0], TO_FIRST[4])
    result = call.emit(
        "LRN", x, size=size, alpha=float(options.alpha) * size, beta=float(options.beta), bias=float(options.bias)
    )
    return call.transposed(result, TO_LAST[4])
