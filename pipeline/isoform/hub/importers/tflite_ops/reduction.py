"""Sums, means and extremes along axes, places of extremes, running sums."""

from typing import Any

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op

_REDUCTIONS = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_PROD": "ReduceProd", "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin",
}  # fmt: skip


@op(*_REDUCTIONS)
def reduction(call: Call) -> ir.Value:
    """Inputs: data, axes; no axes leave the data as it is."""
    return _reduced(call, _REDUCTIONS[call.operator.name], call[0])


@op("REDUCE_ALL", "REDUCE_ANY")
def logical_reduction(call: Call) -> ir.Value:
    name = "ReduceMin" if call.operator.name == "REDUCE_ALL" else "ReduceMax"
    return call.cast(_reduced(call, name, call.cast(call[0], "int32")), "bool")


def _reduced(call: Call, name: str, x: ir.Value) -> ir.Value:
    axes = call.array(1)
    if axes is None:
        flat = call.sizes(1)
    else:
        found = sorted({call.axis(int(axis)) for axis in axes.reshape(-1)})
        if not found:
            return x
        flat = call.ints(*found)
    keeps = int(bool(call.operator.options.keepDims)) if call.operator.options is not None else 0
    return call.emit(name, x, flat, keepdims=keeps, noop_with_empty_axes=1)


@op("ARG_MAX", "ARG_MIN")
def extreme_place(call: Call) -> ir.Value:
    """Return the place of the first extreme, in the output's dtype."""
    [axis] = call.ints_of(1)
    name = "ArgMax" if call.operator.name == "ARG_MAX" else "ArgMin"
    places = call.emit(name, call[0], axis=call.axis(axis), keepdims=0)
    dtype = call.result().dtype
    return places if dtype == "int64" else call.cast(places, dtype)


@op("CUMSUM")
def cumsum(call: Call) -> ir.Value:
    options = call.operator.options
    axis = call.emit("Squeeze", call.sizes(1))
    return call.emit("CumSum", call[0], axis, exclusive=int(options.exclusive), reverse=int(options.reverse))


@op("SEGMENT_SUM")
def segment_sum(call: Call) -> ir.Value:
    """Inputs: data, the segment of each row, in ascending order: as many segments as the last one's number says."""
    count = call.emit("Add", call.emit("ReduceMax", call[1], keepdims=1), call.number(1, call.tensor(1).dtype))
    return _segments(call, call.cast(count, "int64"), "add", 0)


_UNSORTED = {
    "UNSORTED_SEGMENT_SUM": ("add", lambda kind: 0),
    "UNSORTED_SEGMENT_PROD": ("mul", lambda kind: 1),
    "UNSORTED_SEGMENT_MAX": ("max", lambda kind: _bounds(kind)[0]),
    "UNSORTED_SEGMENT_MIN": ("min", lambda kind: _bounds(kind)[1]),
}


@op(*_UNSORTED)
def unsorted_segments(call: Call) -> ir.Value:
    """Inputs: data, the segment of each row, how many segments there are; an empty one holds what changes no result."""
    kind, start = _UNSORTED[call.operator.name]
    if call.rank(1) != 1:
        raise call.refusal(f"segments along {call.rank(1)} axes")
    return _segments(call, call.sizes(2), kind, start(call.real_dtype(0)))


def _bounds(dtype: str) -> tuple[Any, Any]:
    limits = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    return limits.min, limits.max


def _segments(call: Call, count: ir.Value, kind: str, start: Any) -> ir.Value:
    """Return each segment's rows taken together; rows of no segment, numbered below zero, go to a place that is cut."""
    data, dtype = call[0], call.real_dtype(0)
    wider = call.emit("Add", count, call.ints(1))
    sizes = [wider, *([call.emit("Shape", data, start=1)] if call.rank() > 1 else [])]
    shape = call.emit("Concat", *sizes, axis=0)
    empty = call.emit("ConstantOfShape", shape, value=ir.tensor(np.array([start], dtype)))
    places = call[1] if call.tensor(1).dtype == "int64" else call.cast(call[1], "int64")
    places = call.emit("Where", call.emit("Less", places, call.ints(0)), count, places)
    filled = call.emit("ScatterND", empty, call.unsqueezed(places, -1), data, reduction=kind)
    return call.emit("Slice", filled, call.ints(0), count, call.ints(0))
