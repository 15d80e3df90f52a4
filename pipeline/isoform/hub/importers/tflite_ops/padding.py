"""Elements around a tensor: constant, mirrored, and a part written over."""

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.table import Reading


@op("PAD", "PADV2")
def pad(call: Call) -> ir.Value:
    """Inputs: data, how many before and after each axis [rank, 2], and for PADV2 what stands there instead of 0."""
    return call.emit("Pad", call[0], pads_of(call, 1), *([call[2]] if call.has(2) else []))


@op("MIRROR_PAD", reading=Reading.ALIKE)
def mirror_pad(call: Call) -> ir.Value:
    if call.operator.options.mode == schema.MirrorPadMode.REFLECT:
        return call.emit("Pad", call[0], pads_of(call, 1), mode="reflect")
    table = call.ints_of(1)
    x = call[0]
    for axis in range(call.rank()):
        before, after = table[2 * axis : 2 * axis + 2]
        if before or after:
            x = _mirrored(call, x, axis, before, after)
    return x


def pads_of(call: Call, index: int) -> ir.Value:
    """Return a table of [before, after] for each axis as ONNX has it: first all numbers before, then all after."""
    table = call.array(index)
    if table is not None:
        return call.ints(*(int(number) for number in table.T.reshape(-1)))
    flat = call.emit("Reshape", call.emit("Transpose", call[index], perm=[1, 0]), call.ints(-1))
    return flat if call.tensor(index).dtype == "int64" else call.cast(flat, "int64")


def _mirrored(call: Call, x: ir.Value, axis: int, before: int, after: int) -> ir.Value:
    """Return ``x`` continued by its mirror image, the border itself included, which ONNX has no mode for.

    Place p stands for element p, for -1 - p before the first, for 2n - 1 - p behind the last of n.
    """
    size = call.squeezed(call.size_of(x, axis), 0)
    end = call.emit("Add", size, call.number(after, "int64"))
    places = call.emit("Range", call.number(-before, "int64"), end, call.number(1, "int64"))
    below = call.emit("Sub", call.number(-1, "int64"), places)
    above = call.emit("Add", call.emit("Add", size, size), below)
    places = call.emit("Min", call.emit("Max", places, below), above)
    return call.emit("Gather", x, places, axis=axis)


@op("DYNAMIC_UPDATE_SLICE", reading=Reading.ALIKE)
def dynamic_update_slice(call: Call) -> ir.Value:
    """Inputs: data, what is written over it, where that begins; moved so that it lies inside the data."""
    sizes, given = call.emit("Shape", call[0]), call.emit("Shape", call[1])
    room = call.emit("Sub", sizes, given)
    begin = call.emit("Min", call.emit("Max", call.sizes(2), call.ints(0)), room)
    pads = call.emit("Concat", begin, call.emit("Sub", room, begin), axis=0)
    ones = call.emit("ConstantOfShape", given, value=ir.tensor(np.array([1], np.int32)))
    is_written = call.cast(call.emit("Pad", ones, pads), "bool")
    dtype = call.real_dtype(1)
    if dtype == "bool":
        over = call.cast(call.emit("Pad", call.cast(call[1], "int32"), pads), "bool")
    else:
        over = call.emit("Pad", call[1], pads)
    return call.emit("Where", is_written, over, call[0])
