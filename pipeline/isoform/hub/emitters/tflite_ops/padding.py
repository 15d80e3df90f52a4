"""Borders around a tensor, of widths that are known or computed; negative ones cut."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, binary, maximum, minimum, mul, sub, unary
from isoform.hub.emitters.tflite_ops.axes import marks, spread
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import widened
from isoform.hub.emitters.tflite_ops.moving import as_int32, shape_of, size_at, strided_slice, to_shape
from isoform.hub.emitters.tflite_ops.slicing import take

_MOST_AXES = 5
_WIDENED = {"uint16": "int32", "uint32": "int64", "float16": "float32"}


@op("Pad")
def pad(call: Call) -> Tensor:
    mode, rank = call.string("mode", "constant"), len(call[0].shape)
    has_known = "pads" in call.node.attributes or (
        call.array(1) is not None and (not call.has(3) or call.array(3) is not None)
    )
    if not has_known:
        return _computed(call, mode, rank)
    pads, axes = call.ints_of("pads", 1) or [], call.ints_of("axes", 3)
    table = np.zeros((rank, 2), np.int64)
    for place, axis in enumerate(axes or range(rank)):
        table[axis % rank] = pads[place], pads[place + len(pads) // 2]
    if mode in ("edge", "wrap") or (mode == "reflect" and rank > _MOST_AXES):
        return _repeated(call, table, mode)
    cut, widths = np.minimum(table, 0), np.maximum(table, 0)
    if rank > _MOST_AXES or mode not in ("constant", "reflect"):
        raise call.refusal(f"mode {mode} or {rank} axes")
    x = _cut(call, call[0], cut) if cut.any() else call[0]
    if not widths.any():
        return x
    if mode == "reflect":
        options = schema.MirrorPadOptionsT()
        options.mode = schema.MirrorPadMode.REFLECT
        return call.make(Code.MIRROR_PAD, [x, call.constant(widths)], _grown(x, widths), options)
    return _filled(call, x, call.constant(widths), _grown(x, widths))


def _grown(x: Tensor, widths: npt.NDArray[np.int64]) -> list[int | None]:
    return [None if size is None else size + int(pair.sum()) for size, pair in zip(x.shape, widths, strict=True)]


def _filled(call: Call, x: Tensor, widths: Tensor, shape: Sequence[int | None]) -> Tensor:
    """Return x with a number around it."""
    if x.dtype not in ("float32", "int32", "int64", "int8", "uint8", "bool", *_WIDENED):
        raise call.refusal(f"it works on {x.dtype}")
    value = call.get(2)
    fills_zero = x.quantization is None or x.quantization.zero == 0
    if value is None and call.float("value", 0.0) == 0.0 and fills_zero:
        return widened(call, [x], lambda x: call.make(Code.PAD, [x[0], widths], shape, schema.PadOptionsT()), _WIDENED)
    value = call.constant(call.float("value", 0.0), x.dtype) if value is None else value
    value = to_shape(call, value, [], []) if value.shape else value
    if x.quantization is not None and value.array is not None:
        if value.array == x.quantization.zero:  # what PAD fills with by itself
            return call.make(Code.PAD, [x, widths], shape, schema.PadOptionsT())
        value = call.graph.constant(value.array, value.name, x.quantization)

    def fill(both: Sequence[Tensor]) -> Tensor:
        return call.make(Code.PADV2, [both[0], widths, both[1]], shape, schema.PadV2OptionsT())

    return widened(call, [x, value], fill, _WIDENED)


def _cut(call: Call, x: Tensor, cut: npt.NDArray[np.int64]) -> Tensor:
    begin, end = [-int(before) for before, _ in cut], [int(after) for _, after in cut]
    open_ends = {axis for axis, after in enumerate(end) if after == 0}
    return strided_slice(call, x, begin, end, [1] * len(end), _grown(x, cut), open_ends)


def _repeated(call: Call, table: npt.NDArray[np.int64], mode: str) -> Tensor:
    """Return x with its own elements around it, gathered axis by axis."""
    x = call[0]
    for axis, (before, after) in enumerate(table):
        size = x.shape[axis]
        if before == after == 0:
            continue
        if size is None:
            x = _taken(call, x, axis, mode, (call.constant(int(before)), call.constant(int(after))))
            continue
        places = np.arange(-before, size + after)
        if mode == "reflect":
            places = np.abs((places + size - 1) % max(2 * (size - 1), 1) - (size - 1))
        else:
            places = np.clip(places, 0, size - 1) if mode == "edge" else places % size
        x = take(call, x, places, axis)
    return x


def _computed(call: Call, mode: str, rank: int) -> Tensor:
    """Return x with borders whose widths are computed while the model runs."""
    pads = as_int32(call, call[1])
    pairs = to_shape(call, pads, [2, -1], [2, None])
    sides = [strided_slice(call, pairs, [place, 0], [place + 1, 0], [1, 1], [rank], {1}, 0) for place in (0, 1)]
    if call.has(3):
        marked = marks(call, 3, rank)
        sides = [spread(call, marked, side, 0) for side in sides]
    if mode == "constant":
        if rank > _MOST_AXES:
            raise call.refusal(f"{rank} axes")
        return _filled_between(call, sides, rank)
    x = call[0]
    for axis in range(rank):
        before, after = (strided_slice(call, side, [axis], [axis + 1], [1], [], dropped=0) for side in sides)
        x = _taken(call, x, axis, mode, (before, after))
    return x


def _filled_between(call: Call, sides: list[Tensor], rank: int) -> Tensor:
    x, nothing = call[0], [None] * rank
    begin, after = (maximum(call, unary(call, Code.NEG, side), 0) for side in sides)
    bounds = [begin, sub(call, shape_of(call, x), after), call.constant([1] * rank)]
    x = call.make(Code.STRIDED_SLICE, [x, *bounds], nothing, schema.StridedSliceOptionsT())
    pack = schema.PackOptionsT()
    pack.valuesCount, pack.axis = 2, 1
    widths = call.make(Code.PACK, [maximum(call, side, 0) for side in sides], [rank, 2], pack)
    return _filled(call, x, widths, nothing)


def _taken(call: Call, x: Tensor, axis: int, mode: str, widths: tuple[Tensor, Tensor]) -> Tensor:
    """Return x with its own elements around it along one axis, places computed while the model runs."""
    size = size_at(call, x, axis)
    bounds = [unary(call, Code.NEG, widths[0]), add(call, size, widths[1]), call.constant(1)]
    places = call.make(Code.RANGE, bounds, [None], schema.RangeOptionsT())
    last = sub(call, size, 1)
    if mode == "edge":
        places = minimum(call, maximum(call, places, 0), last)
    elif mode == "wrap":
        places = binary(call, Code.FLOOR_MOD, places, size)
    elif mode == "reflect":
        period = maximum(call, mul(call, last, 2), 1)
        shifted = binary(call, Code.FLOOR_MOD, add(call, places, last), period)
        places = unary(call, Code.ABS, sub(call, shifted, last))
    else:
        raise call.refusal(f"mode {mode}")
    options = schema.GatherOptionsT()
    options.axis = axis
    return call.make(Code.GATHER, [x, places], [*x.shape[:axis], None, *x.shape[axis + 1 :]], options)
