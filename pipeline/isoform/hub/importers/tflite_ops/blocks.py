"""Between space and depth, and between space and batch."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.convolution import TO_FIRST, TO_LAST
from isoform.hub.importers.tflite_ops.padding import pads_of
from isoform.hub.importers.tflite_ops.table import Reading


@op("SPACE_TO_DEPTH", "DEPTH_TO_SPACE", reading=Reading.ALIKE)
def between_space_and_depth(call: Call) -> ir.Value:
    """Places of a block come before channels in the depth: ONNX' own order."""
    name = "SpaceToDepth" if call.operator.name == "SPACE_TO_DEPTH" else "DepthToSpace"
    x = call.transposed(call[0], TO_FIRST[4])
    return call.transposed(call.emit(name, x, blocksize=int(call.operator.options.blockSize)), TO_LAST[4])


@op("SPACE_TO_BATCH_ND", reading=Reading.ALIKE)
def space_to_batch(call: Call) -> ir.Value:
    """Inputs: data [batch, space, rest], the sizes of a block, how many zeros before and after each axis of space."""
    blocks, table = call.ints_of(1), call.array(2)
    count, rank, x = len(blocks), call.rank(), call[0]
    if table is None or table.any():
        zero = _zero(call) or [None]
        x = call.emit("Pad", x, pads_of(call, 2), *zero, call.constant(np.arange(1, 1 + count)))
    shape = [call.size_of(x, 0)]
    for axis, block in enumerate(blocks, start=1):
        shape += [call.emit("Div", call.size_of(x, axis), call.ints(block)), call.ints(block)]
    split = call.emit("Reshape", x, _joined(call, [*shape, *_rest(call, x, 1 + count)]))
    inner, outer = [2 * axis + 2 for axis in range(count)], [2 * axis + 1 for axis in range(count)]
    moved = call.transposed(split, [*inner, 0, *outer, *range(2 * count + 1, rank + count)])
    spaces = [shape[place] for place in outer]
    batch = call.emit("Mul", shape[0], call.ints(int(np.prod(blocks))))
    return call.emit("Reshape", moved, _joined(call, [batch, *spaces, *_rest(call, x, 1 + count)]))


@op("BATCH_TO_SPACE_ND", reading=Reading.ALIKE)
def batch_to_space(call: Call) -> ir.Value:
    """Inputs: data [batch, space, rest], the sizes of a block, how many are cut before and after each axis of space."""
    blocks, table = call.ints_of(1), call.array(2)
    count, rank, x = len(blocks), call.rank(), call[0]
    batch = call.emit("Div", call.size_of(x, 0), call.ints(int(np.prod(blocks))))
    spaces = [call.size_of(x, axis) for axis in range(1, 1 + count)]
    rest = _rest(call, x, 1 + count)
    split = call.emit("Reshape", x, _joined(call, [call.ints(*blocks), batch, *spaces, *rest]))
    pairs = [axis for place in range(count) for axis in (count + 1 + place, place)]
    moved = call.transposed(split, [count, *pairs, *range(2 * count + 1, rank + count)])
    whole = [call.emit("Mul", space, call.ints(block)) for space, block in zip(spaces, blocks, strict=True)]
    x = call.emit("Reshape", moved, _joined(call, [batch, *whole, *rest]))
    if table is not None and not table.any():
        return x
    cuts = pads_of(call, 2)
    before, after = call.emit_several("Split", [cuts], 2, axis=0, num_outputs=2)
    ends = call.emit("Sub", call.emit("Shape", x, start=1, end=1 + count), after)
    return call.emit("Slice", x, before, ends, call.constant(np.arange(1, 1 + count)))


def _rest(call: Call, x: ir.Value, start: int) -> list[ir.Value]:
    return [call.emit("Shape", x, start=start)] if call.rank() > start else []


def _joined(call: Call, sizes: Sequence[ir.Value]) -> ir.Value:
    return call.emit("Concat", *sizes, axis=0)


def _zero(call: Call) -> list[ir.Value]:
    """Return what stands for zero where the integers themselves are moved."""
    found = call.tensor(0).quantization
    if call.is_real or found is None or call.real_dtype(0).startswith("float"):
        return []
    return [call.number(int(found.zero_point[0]), call.tensor(0).dtype)]
