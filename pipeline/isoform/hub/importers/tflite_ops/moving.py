"""Operators that move elements and change shapes, and compute nothing."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import LAST, Call, op
from isoform.hub.importers.tflite_ops.table import Reading


@op("RESHAPE", reading=Reading.ALIKE)
def reshape(call: Call) -> ir.Value:
    """Return the data in another shape; in TFLite a size of 0 means no elements, which ONNX calls allowzero."""
    if call.has(1) and call.tensor(1).shape != (0,):
        known = call.array(1)
        zeros = {"allowzero": 1} if known is not None and 0 in known else {}
        sizes = call.emit("Concat", call.sizes(1), call.ints(2), axis=0) if call.is_complex(0) else call.sizes(1)
        return call.emit("Reshape", call[0], sizes, **zeros)
    shape = call.operator.options.newShape if call.operator.options is not None else None
    return call.emit("Reshape", call[0], call.ints(*(int(size) for size in (shape if shape is not None else ()))))


@op("SQUEEZE", reading=Reading.ALIKE)
def squeeze(call: Call) -> ir.Value:
    axes = call.operator.options.squeezeDims if call.operator.options is not None else None
    if axes is None or len(axes) == 0:
        return call.emit("Squeeze", call[0])
    return call.squeezed(call[0], *(call.axis(int(axis)) for axis in axes))


@op("EXPAND_DIMS", reading=Reading.ALIKE)
def expand_dims(call: Call) -> ir.Value:
    [axis] = call.ints_of(1)
    return call.unsqueezed(call[0], axis % (call.rank() + 1) if call.is_complex(0) else axis)


@op("TRANSPOSE", reading=Reading.ALIKE)
def transpose(call: Call) -> ir.Value:
    rank = call.rank()
    parts = [rank] if call.is_complex(0) else []
    return call.transposed(call[0], [*(axis % rank for axis in call.ints_of(1)), *parts])


@op("CONCATENATION", reading=Reading.ALIKE)
def concatenation(call: Call) -> ir.Value:
    options = call.operator.options
    axis = call.axis(int(options.axis))
    parts = [call[index] for index in range(call.count)]
    return call.activated(call.emit("Concat", *parts, axis=axis), options.fusedActivationFunction)


@op("PACK", reading=Reading.ALIKE)
def pack(call: Call) -> ir.Value:
    result = call.result()  # a file that leaves the rank of a number open says that of a list of them
    axis = int(call.operator.options.axis) % (call.rank_of(result) if result.has_rank else call.rank() + 1)
    return call.emit("Concat", *(call.unsqueezed(call[index], axis) for index in range(call.count)), axis=axis)


@op("UNPACK", reading=Reading.ALIKE)
def unpack(call: Call) -> list[ir.Value]:
    axis, count = call.axis(int(call.operator.options.axis)), len(call.operator.outputs)
    if count == 1:
        return [call.squeezed(call[0], axis)]
    parts = call.emit_several("Split", [call[0]], count, axis=axis, num_outputs=count)
    return [call.squeezed(part, axis) for part in parts]


@op("SPLIT", reading=Reading.ALIKE)
def split(call: Call) -> list[ir.Value]:
    """Inputs: the axis, the data."""
    [axis] = call.ints_of(0)
    count = len(call.operator.outputs)
    return call.emit_several("Split", [call[1]], count, axis=call.axis(axis, 1), num_outputs=count)


@op("SPLIT_V", reading=Reading.ALIKE)
def split_v(call: Call) -> list[ir.Value]:
    """Return parts of the sizes asked for; one of them may be -1: what is left."""
    [axis] = call.ints_of(2)
    axis, sizes, count = call.axis(axis), call.array(1), len(call.operator.outputs)
    parts = call.sizes(1)
    if sizes is None or -1 in sizes:
        given = call.emit("Max", parts, call.ints(0))
        rest = call.emit("Sub", call.size_of(call[0], axis), call.emit("ReduceSum", given, keepdims=1))
        parts = call.emit("Where", call.emit("Less", parts, call.ints(0)), rest, parts)
    return call.emit_several("Split", [call[0], parts], count, axis=axis)


@op("TILE", reading=Reading.ALIKE)
def tile(call: Call) -> ir.Value:
    return call.emit("Tile", call[0], call.sizes(1))


@op("BROADCAST_TO", reading=Reading.ALIKE)
def broadcast_to(call: Call) -> ir.Value:
    return call.emit("Expand", call[0], call.sizes(1))


@op("REVERSE_V2", reading=Reading.ALIKE)
def reverse_v2(call: Call) -> ir.Value:
    axes = [call.axis(axis) for axis in call.ints_of(1)]
    ones = np.ones(len(axes), np.int64)
    return call.emit(
        "Slice", call[0], call.constant(-ones), call.constant(-LAST * ones), call.ints(*axes), call.constant(-ones)
    )


@op("REVERSE_SEQUENCE", reading=Reading.ALIKE)
def reverse_sequence(call: Call) -> ir.Value:
    """Return each batch entry with its first steps in reverse; ONNX wants both axes in front."""
    options, rank = call.operator.options, call.rank()
    time, batch = call.axis(int(options.seqDim)), call.axis(int(options.batchDim))
    perm = [time, batch, *(axis for axis in range(rank) if axis not in (time, batch))]
    lengths = call.sizes(1)
    moved = call.emit("ReverseSequence", call.transposed(call[0], perm), lengths, time_axis=0, batch_axis=1)
    return call.transposed(moved, [perm.index(axis) for axis in range(rank)])
