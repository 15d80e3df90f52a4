"""Bits read as another dtype."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.table import Reading

_BITS = 8


@op("BITCAST", reading=Reading.STORED)
def bitcast(call: Call) -> ir.Value:
    """Return the input's bits as another dtype: integers of one size by Cast, which keeps the bits.

    Where sizes differ, a further axis, the last, holds the parts of each integer, the lowest first.
    """
    given, wanted = call.tensor(0).dtype, call.result().dtype
    sizes = [np.dtype(dtype).itemsize for dtype in (given, wanted)]
    if given == wanted:
        return call[0]
    if any(np.dtype(dtype).kind not in "iub" for dtype in (given, wanted)):
        raise call.refusal(f"{given} read as {wanted}")
    if sizes[0] == sizes[1]:
        return call.cast(call[0], wanted)
    if sizes[0] > sizes[1]:
        return _parted(call, sizes[0], sizes[1])
    return _joined(call, sizes[0], sizes[1])


def _parted(call: Call, size: int, part: int) -> ir.Value:
    whole = call.cast(call[0], f"uint{_BITS * size}")
    parts = [_shifted(call, whole, part * place, size, "RIGHT") for place in range(size // part)]
    narrow = [call.unsqueezed(call.cast(each, call.result().dtype), -1) for each in parts]
    return call.emit("Concat", *narrow, axis=-1)


def _joined(call: Call, part: int, size: int) -> ir.Value:
    dtype = f"uint{_BITS * size}"
    parts = call.emit_several("Split", [call[0]], size // part, axis=-1, num_outputs=size // part)
    wide = [
        _shifted(call, call.cast(call.cast(each, f"uint{_BITS * part}"), dtype), part * place, size, "LEFT")
        for place, each in enumerate(parts)
    ]
    total = wide[0]
    for each in wide[1:]:
        total = call.emit("BitwiseOr", total, each)
    return call.cast(call.squeezed(total, -1), call.result().dtype)


def _shifted(call: Call, value: ir.Value, count: int, size: int, direction: str) -> ir.Value:
    """Return ``value`` moved by ``count`` bytes."""
    if count == 0:
        return value
    return call.emit("BitShift", value, call.number(_BITS * count, f"uint{_BITS * size}"), direction=direction)
