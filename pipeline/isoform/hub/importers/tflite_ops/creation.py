"""Tensors made of shapes and numbers."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.table import Reading


@op("SHAPE", reading=Reading.STORED)
def shape(call: Call) -> ir.Value:
    sizes = call.emit("Shape", call[0])
    return sizes if call.result().dtype == "int64" else call.cast(sizes, call.result().dtype)


@op("RANK", reading=Reading.STORED)
def rank(call: Call) -> ir.Value:
    return call.number(call.rank(), call.result().dtype)


@op("FILL", reading=Reading.ALIKE)
def fill(call: Call) -> ir.Value:
    """Inputs: the shape, the number."""
    return call.emit("Expand", call[1], call.sizes(0))


@op("ZEROS_LIKE")
def zeros_like(call: Call) -> ir.Value:
    return call.emit("ConstantOfShape", call.emit("Shape", call[0]), value=ir.tensor(np.zeros(1, call.real_dtype(0))))


@op("RANGE")
def range_(call: Call) -> ir.Value:
    return call.emit(
        "Range", *(call.emit("Squeeze", call[place]) if call.rank(place) else call[place] for place in range(3))
    )


@op("BROADCAST_ARGS")
def broadcast_args(call: Call) -> ir.Value:
    """Return the shape that two shapes broadcast to: the shorter one filled up with ones, then what is not 1."""
    left, right = call.sizes(0), call.sizes(1)
    length = call.emit("Max", call.size_of(left, 0), call.size_of(right, 0))
    left, right = (
        call.emit(
            "Pad", each, call.emit("Concat", call.emit("Sub", length, call.size_of(each, 0)), call.ints(0), axis=0),
            call.number(1, "int64"),
        )
        for each in (left, right)
    )  # fmt: skip
    result = call.emit("Where", call.emit("Equal", left, call.ints(1)), right, left)
    return result if call.result().dtype == "int64" else call.cast(result, call.result().dtype)


@op("MATRIX_DIAG")
def matrix_diag(call: Call) -> ir.Value:
    """Return square matrices with the input's rows [..., n] as diagonals."""
    rank = call.rank()
    size = call.size_of(call[0], rank - 1)
    row = call.unsqueezed(call[0], -2)
    return call.emit("Where", _is_diagonal(call, size, size), row, call.number(0, call.real_dtype(0)))


@op("MATRIX_SET_DIAG")
def matrix_set_diag(call: Call) -> ir.Value:
    """Inputs: matrices [..., rows, columns], diagonals [..., the smaller of both]."""
    rank = call.rank()
    rows, columns = call.size_of(call[0], rank - 2), call.size_of(call[0], rank - 1)
    missing = call.emit("Sub", columns, call.size_of(call[1], rank - 2))
    pads = call.emit("Concat", call.ints(*[0] * (2 * rank - 3)), missing, axis=0)
    row = call.unsqueezed(call.emit("Pad", call[1], pads), -2)
    return call.emit("Where", _is_diagonal(call, rows, columns), row, call[0])


def _is_diagonal(call: Call, rows: ir.Value, columns: ir.Value) -> ir.Value:
    zero, one = call.number(0, "int64"), call.number(1, "int64")
    down, across = (call.emit("Range", zero, call.squeezed(count, 0), one) for count in (rows, columns))
    return call.emit("Equal", call.unsqueezed(down, 1), across)
