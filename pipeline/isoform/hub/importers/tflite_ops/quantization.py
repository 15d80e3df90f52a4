"""Between integers and the numbers that they stand for."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, deferred, op
from isoform.hub.importers.tflite_ops.frame import is_quantized


@op("QUANTIZE")
def quantize(call: Call) -> ir.Value:
    """Return the input: as the result is quantised, its integers are made of what comes out here."""
    if not is_quantized(call.result()):
        raise call.refusal(f"a result of {call.result().dtype} without a scale")
    return call[0]


@op("DEQUANTIZE")
def dequantize(call: Call) -> ir.Value:
    """Return the input's numbers; constants stored in half precision become constants, widened when they are read."""
    tensor = call.tensor(0)
    if is_quantized(tensor):
        return call[0]
    if tensor.dtype not in ("float16", "float32"):
        raise call.refusal(f"an input of {tensor.dtype} without a scale")
    array = call.array(0)
    if tensor.dtype == "float32":
        return call[0]
    if array is None:
        return call.cast(call[0], "float32")
    like = np.broadcast_to(np.float32(0), array.shape)
    return call.frame.target.initializer(tensor.name, deferred(lambda: array.astype(np.float32), like))


@op("FAKE_QUANT")
def fake_quant(call: Call) -> ir.Value:
    """Return the input rounded to one of ``2**bits`` steps between two bounds, moved so that zero is a step.

    The bounds move as in LiteRT's reference kernel: the zero point is rounded half away from zero.
    """
    options = call.operator.options
    low, high = int(bool(options.narrowRange)), 2**options.numBits - 1
    scale = np.float32((options.max - options.min) / (high - low))
    zero_point = np.clip(np.floor(low - options.min / scale + 0.5), low, high)
    floor, ceiling = (np.float32((bound - zero_point) * scale) for bound in (low, high))
    inside = call.emit("Clip", call[0], call.number(floor, "float32"), call.number(ceiling, "float32"))
    steps = call.emit("Div", call.emit("Sub", inside, call.number(floor, "float32")), call.number(scale, "float32"))
    rounded = call.emit("Floor", call.emit("Add", steps, call.number(0.5, "float32")))
    return call.emit("Add", call.emit("Mul", rounded, call.number(scale, "float32")), call.number(floor, "float32"))
