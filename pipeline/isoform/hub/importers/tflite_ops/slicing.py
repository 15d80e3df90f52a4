"""Parts of a tensor: SLICE and STRIDED_SLICE with all its masks."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import LAST, Call, op
from isoform.hub.importers.tflite_ops.table import Reading


@op("SLICE", reading=Reading.ALIKE)
def slice_(call: Call) -> ir.Value:
    """Inputs: data, where each axis begins, how many elements are taken; -1 takes what is left."""
    begin, size = call.array(1), call.array(2)
    if begin is not None and size is not None:
        ends = [LAST if count == -1 else int(first + count) for first, count in zip(begin, size, strict=True)]
        return call.emit("Slice", call[0], call.sizes(1), call.ints(*ends))
    first, count = call.sizes(1), call.sizes(2)
    is_rest = call.emit("Less", count, call.ints(0))
    ends = call.emit("Where", is_rest, call.ints(LAST), call.emit("Add", first, count))
    return call.emit("Slice", call[0], first, ends)


@dataclass(frozen=True)
class _Entry:
    """One entry of the lists of a strided slice that cuts axis ``axis``; ``place`` is its own in the lists."""

    place: int
    axis: int


@op("STRIDED_SLICE", reading=Reading.ALIKE)
def strided_slice(call: Call) -> ir.Value:
    """Inputs: data, begins, ends, strides; masks say which entries are open, new axes, dropped ones or an ellipsis."""
    options = call.operator.options
    strides = call.ints_of(3)
    entries, new_axes, dropped = _placed(call, len(strides))
    begins, ends = call.array(1), call.array(2)
    if begins is not None and ends is not None:
        if options.offset:
            ends = begins + ends
        cut = _constant_cut(call, entries, begins, ends, strides)
    else:
        cut = _computed_cut(call, entries, strides)
    return call.unsqueezed(call.squeezed(cut, *dropped), *new_axes)


def _placed(call: Call, count: int) -> tuple[list[_Entry], list[int], list[int]]:
    """Return the entries that cut, the new axes in the result, and the axes of the data that are dropped."""
    options = call.operator.options
    rank = call.rank()
    news = [place for place in range(count) if options.newAxisMask >> place & 1]
    ellipsis = next((place for place in range(count) if options.ellipsisMask >> place & 1), None)
    news = [place for place in news if place != ellipsis]
    covered = count - len(news) - (ellipsis is not None)
    entries, new_axes, dropped = [], [], []
    axis = result_axis = 0
    for place in range(count):
        if place == ellipsis:
            axis += rank - covered
            result_axis += rank - covered
        elif place in news:
            new_axes.append(result_axis)
            result_axis += 1
        else:
            entries.append(_Entry(place, axis))
            if options.shrinkAxisMask >> place & 1:
                dropped.append(axis)
            else:
                result_axis += 1
            axis += 1
    return entries, new_axes, dropped


def _constant_cut(
    call: Call, entries: list[_Entry], begins: np.ndarray, ends: np.ndarray, strides: list[int]
) -> ir.Value:
    options = call.operator.options
    rows = []
    for entry in entries:
        begin, end, stride = int(begins[entry.place]), int(ends[entry.place]), strides[entry.place]
        if options.shrinkAxisMask >> entry.place & 1:
            begin = 0 if options.beginMask >> entry.place & 1 else begin
            end, stride = (begin + 1 if begin != -1 else LAST), 1
        else:
            begin = (0 if stride > 0 else LAST) if options.beginMask >> entry.place & 1 else begin
            end = (LAST if stride > 0 else -LAST) if options.endMask >> entry.place & 1 else end
        if (begin, end, stride) != (0, LAST, 1):
            rows.append((begin, end, entry.axis, stride))
    if not rows:
        return call[0]
    return call.emit("Slice", call[0], *(call.ints(*column) for column in zip(*rows, strict=True)))


def _computed_cut(call: Call, entries: list[_Entry], strides: list[int]) -> ir.Value:
    options = call.operator.options
    places = call.ints(*(entry.place for entry in entries))
    open_begin, open_end, shrunk = (
        np.array([mask >> entry.place & 1 for entry in entries], bool)
        for mask in (options.beginMask, options.endMask, options.shrinkAxisMask)
    )
    steps = np.array([1 if gone else strides[entry.place] for entry, gone in zip(entries, shrunk, strict=True)])
    begins = call.emit("Gather", call.sizes(1), places, axis=0)
    ends = call.emit("Gather", call.sizes(2), places, axis=0)
    if options.offset:
        ends = call.emit("Add", begins, ends)
    begins = call.emit("Where", call.constant(open_begin), call.constant(np.where(steps > 0, 0, LAST)), begins)
    ends = call.emit("Where", call.constant(open_end), call.constant(np.where(steps > 0, LAST, -LAST)), ends)
    if shrunk.any():
        following = call.emit("Add", begins, call.ints(1))
        is_last = call.emit("Equal", following, call.ints(0))
        following = call.emit("Where", is_last, call.ints(LAST), following)
        ends = call.emit("Where", call.constant(shrunk), following, ends)
    return call.emit(
        "Slice", call[0], begins, ends, call.ints(*(entry.axis for entry in entries)), call.constant(steps)
    )
