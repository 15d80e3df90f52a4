"""Elements picked by place or by condition."""

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.table import Reading


@op("GATHER", reading=Reading.ALIKE)
def gather(call: Call) -> ir.Value:
    """Return slices along one axis; with batches, each batch entry has places of its own."""
    options = call.operator.options
    axis, batches = (0, 0) if options is None else (call.axis(int(options.axis)), int(options.batchDims))
    batches = batches % call.rank(1) if batches < 0 else batches
    if batches == 0:
        return call.emit("Gather", call[0], call[1], axis=axis)
    rank, places = call.rank(), call.rank(1)
    front = [*range(batches), axis, *(each for each in range(batches, rank) if each != axis)]
    picked = call.emit(
        "GatherND", call.transposed(call[0], front), call.unsqueezed(_int64(call, 1), -1), batch_dims=batches
    )
    between = range(places, places + axis - batches)
    perm = [
        *range(batches),
        *between,
        *range(batches, places),
        *range(places + axis - batches, rank + places - batches - 1),
    ]
    return call.transposed(picked, perm)


@op("GATHER_ND", reading=Reading.ALIKE)
def gather_nd(call: Call) -> ir.Value:
    return call.emit("GatherND", call[0], _int64(call, 1))


@op("SCATTER_ND", reading=Reading.ALIKE)
def scatter_nd(call: Call) -> ir.Value:
    """Inputs: places, what stands there, the shape; the rest is zero, and what meets in one place is added."""
    dtype = call.real_dtype(1)
    if dtype == "bool":
        raise call.refusal("truth values that are added")
    empty = call.emit("ConstantOfShape", call.sizes(2), value=ir.tensor(np.zeros(1, dtype)))
    return call.emit("ScatterND", empty, _int64(call, 0), call[1], reduction="add")


@op("SPARSE_TO_DENSE")
def sparse_to_dense(call: Call) -> ir.Value:
    """Inputs: places, the shape, what stands there, what stands elsewhere."""
    places, rank = _int64(call, 0), call.rank(0)
    if rank == 0:
        places = call.unsqueezed(places, 0, 1)
    elif rank == 1:
        places = call.unsqueezed(places, 1)
    values = call[2]
    if call.rank(2) == 0:
        values = call.emit("Expand", values, call.emit("Shape", places, start=0, end=1))
    return call.emit("ScatterND", call.emit("Expand", call[3], call.sizes(1)), places, values)


@op("SELECT", reading=Reading.ALIKE)
def select(call: Call) -> ir.Value:
    """Return elements of the second or the third input; a condition of one axis chooses whole rows."""
    condition = call[0]
    if call.rank(0) == 1 and call.rank(1) > 1:
        condition = call.unsqueezed(condition, *range(1, call.rank(1)))
    return call.emit("Where", condition, call[1], call[2])


@op("SELECT_V2", reading=Reading.ALIKE)
def select_v2(call: Call) -> ir.Value:
    return call.emit("Where", call[0], call[1], call[2])


@op("WHERE")
def where(call: Call) -> ir.Value:
    """Return the places of what is not zero, [count, rank]."""
    places = call.transposed(call.emit("NonZero", call[0]), [1, 0])
    return places if call.result().dtype == "int64" else call.cast(places, call.result().dtype)


@op("ONE_HOT")
def one_hot(call: Call) -> ir.Value:
    """Inputs: places, depth, the value at a place, the value elsewhere; for ONNX a negative place counts from the end.

    So each place is compared with all there are: those outside equal none.
    """
    axis = int(call.operator.options.axis)
    axis = call.rank(0) if axis == -1 else axis
    dtype = call.tensor(0).dtype
    depth = call.emit("Squeeze", call.sizes(1))
    shape = [-1 if place == axis else 1 for place in range(call.rank(0) + 1)]
    all_places = call.emit("Range", call.number(0, "int64"), depth, call.number(1, "int64"))
    all_places = call.emit("Reshape", all_places, call.ints(*shape))
    places = call[0] if dtype == "int64" else call.cast(call[0], "int64")
    return call.emit("Where", call.emit("Equal", call.unsqueezed(places, axis), all_places), call[2], call[3])


@op("TOPK_V2", reading=Reading.ALIKE)
def top_k(call: Call) -> list[ir.Value]:
    """Return the largest elements of the last axis and their places."""
    count = call.emit("Reshape", call.sizes(1), call.ints(1))
    values, places = call.emit_several("TopK", [call[0], count], 2, axis=-1)
    dtype = call.result(1).dtype
    return [values, places if dtype == "int64" else call.cast(places, dtype)]


@op("UNIQUE")
def unique(call: Call) -> list[ir.Value]:
    """Return the values in the order in which they appear first, and the place of each element's value among them."""
    own, dtype = call.real_dtype(0), call.result(1).dtype
    is_narrow = own in ("int16", "int32", "uint8")  # ONNX Runtime has none for these
    x = call.cast(call[0], "int64") if is_narrow else call[0]
    values, _, places, _ = call.emit_several("Unique", [x], 4, sorted=0)
    values = call.cast(values, own) if is_narrow else values
    return [values, places if dtype == "int64" else call.cast(places, dtype)]


@op("BUCKETIZE")
def bucketize(call: Call) -> ir.Value:
    """Return how many boundaries do not exceed each element."""
    boundaries = np.array(call.operator.options.boundaries, call.real_dtype(0))
    is_above = call.emit("GreaterOrEqual", call.unsqueezed(call[0], -1), call.constant(boundaries))
    return call.emit("ReduceSum", call.cast(is_above, "int32"), call.ints(-1), keepdims=0)


@op("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5")
def non_max_suppression(call: Call) -> list[ir.Value]:
    """Inputs: boxes [n, 4], scores [n], the largest count, two thresholds, for V5 what softens scores: 0 alone here.

    Return the places, filled up with zeros to the largest count, for V5 their scores, and how many are valid.
    """
    is_soft = call.operator.name.endswith("V5")
    sigma = call.array(5) if is_soft else None
    if is_soft and (sigma is None or sigma.any()):
        raise call.refusal("scores that are lowered instead of left out")
    largest = call.sizes(2)
    found = call.emit(
        "NonMaxSuppression", call.unsqueezed(call[0], 0), call.unsqueezed(call[1], 0, 1), largest,
        _just_below(call, 3), call.emit("Reshape", call[4], call.ints(1)),
    )  # fmt: skip
    places = call.emit("Gather", found, call.number(2, "int64"), axis=1)
    missing = call.emit("Concat", call.ints(0), call.emit("Sub", largest, call.emit("Shape", places)), axis=0)
    count = call.squeezed(call.cast(call.emit("Shape", places), "int32"), 0)
    scores = [call.emit("Pad", call.emit("Gather", call[1], places, axis=0), missing)] if is_soft else []
    return [call.cast(call.emit("Pad", places, missing), "int32"), *scores, count]


def _just_below(call: Call, index: int) -> ir.Value:
    """Return the largest number below a threshold: LiteRT drops a box at it, ONNX above it."""
    array = call.array(index)
    if array is not None:
        return call.constant(np.nextafter(array.reshape(1), np.float32(-np.inf)))
    factor = call.number(1 - np.finfo(np.float32).eps, "float32")
    return call.emit("Mul", call.emit("Reshape", call[index], call.ints(1)), factor)


def _int64(call: Call, index: int) -> ir.Value:
    return call[index] if call.tensor(index).dtype == "int64" else call.cast(call[index], "int64")
