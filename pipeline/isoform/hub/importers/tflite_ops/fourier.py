"""Fourier transforms and complex numbers, which here are a last axis of two: the real part and the imaginary one."""

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op


@op("RFFT2D")
def rfft_2d(call: Call) -> ir.Value:
    """Return the transform of real numbers over the last two axes, each cut or filled with zeros to its length."""
    height, width = call.ints_of(1)
    rows = _transformed(call, call.unsqueezed(call[0], -1), width, -2, onesided=1)
    return rows if height == 1 == call.tensor(0).shape[-2] else _transformed(call, rows, height, -3, onesided=0)


@op("REAL")
def real(call: Call) -> ir.Value:
    return part(call, 0)


@op("IMAG")
def imaginary(call: Call) -> ir.Value:
    return part(call, 1)


@op("COMPLEX_ABS")
def magnitude(call: Call) -> ir.Value:
    return call.emit("ReduceL2", call[0], call.ints(-1), keepdims=0)


def part(call: Call, place: int) -> ir.Value:
    """Return one part of complex numbers."""
    return call.emit("Gather", call[0], call.number(place, "int64"), axis=-1)


def _transformed(call: Call, value: ir.Value, length: int, axis: int, *, onesided: int) -> ir.Value:
    return call.emit("DFT", value, call.number(length, "int64"), call.number(axis, "int64"), onesided=onesided)
