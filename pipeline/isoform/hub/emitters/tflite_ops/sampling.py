"""GridSample: an image read at places of a grid, in two or three dimensions, sizes known or not."""

from collections.abc import Sequence
from itertools import product

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import (
    add,
    binary,
    compare,
    maximum,
    minimum,
    mul,
    select,
    sub,
    unary,
)
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.gathering import coordinates
from isoform.hub.emitters.tflite_ops.moving import cast, concat, size_at, strided_slice, to_shape

_MODES = {"bilinear": "linear", "linear": "linear", "nearest": "nearest", "bicubic": "cubic", "cubic": "cubic"}
_CUBIC = -0.75
Tap = tuple[Tensor, Tensor | None]
"""Where along one axis an element is read, in whole numbers, and how much of it is taken; None for all."""


@op("GridSample", since=16)
def grid_sample(call: Call) -> Tensor:
    x, grid = call[0], call[1]
    require_dtype(call, x, FLOATS)
    require_dtype(call, grid, FLOATS)
    mode, rank = _MODES.get(call.string("mode", "linear"), ""), len(x.shape)
    if not mode or (mode == "cubic" and rank != 4):
        raise call.refusal(f"mode {call.string('mode', 'linear')} in {rank - 2} dimensions")
    sizes = [_size(call, x, axis) for axis in range(2, rank)]
    taps = []
    for place, size in enumerate(sizes):
        at = _unnormalised(call, _part(call, grid, rank - 3 - place), size)
        taps.append(_taps(call, at, mode))
    rows = _rows(call, x)
    total: Tensor | None = None
    for corner in product(*taps):
        found = _read(call, rows, corner, sizes)
        total = found if total is None else add(call, total, found)
    assert total is not None
    perm = [0, rank - 1, *range(1, rank - 1)]
    shape = [total.shape[axis] for axis in perm]
    return call.make(Code.TRANSPOSE, [total, call.constant(perm)], shape, schema.TransposeOptionsT())


def _size(call: Call, x: Tensor, axis: int) -> Tensor:
    size = x.shape[axis]
    return call.constant(size, "float32") if size is not None else cast(call, size_at(call, x, axis), "float32")


def _part(call: Call, grid: Tensor, place: int) -> Tensor:
    """Return one coordinate of each place of the grid [n, ...]."""
    last = len(grid.shape) - 1
    begin, end = [0] * last + [place], [0] * last + [place + 1]
    return strided_slice(call, grid, begin, end, [1] * (last + 1), grid.shape[:-1], set(range(last)), last)


def _unnormalised(call: Call, x: Tensor, size: Tensor) -> Tensor:
    """Return places between -1 and 1 in elements: of their centres where corners are aligned, else of their edges."""
    half = mul(call, add(call, x, 1.0), 0.5)
    if call.int("align_corners", 0):
        return mul(call, half, sub(call, size, 1.0))
    return sub(call, mul(call, half, size), 0.5)


def _taps(call: Call, at: Tensor, mode: str) -> list[Tap]:
    if mode == "nearest":
        return [(unary(call, Code.ROUND, at), None)]
    first = unary(call, Code.FLOOR, at)
    share = sub(call, at, first)
    if mode == "linear":
        return [(first, sub(call, 1.0, share)), (add(call, first, 1.0), share)]
    return [(add(call, first, float(step)), _cubic(call, share, step)) for step in range(-1, 3)]


def _cubic(call: Call, share: Tensor, step: int) -> Tensor:
    """Return the weight of the element ``step`` after the one before the place (Keys' kernel with a = -0.75)."""
    distance = sub(call, share, float(step)) if step <= 0 else sub(call, float(step), share)
    inner = step in (0, 1)
    numbers = [_CUBIC + 2, -(_CUBIC + 3), 0.0, 1.0] if inner else [_CUBIC, -5 * _CUBIC, 8 * _CUBIC, -4 * _CUBIC]
    result = add(call, mul(call, distance, numbers[0]), numbers[1])
    for number in numbers[2:]:
        result = add(call, mul(call, result, distance), number)
    return result


def _rows(call: Call, x: Tensor) -> Tensor:
    """Return the elements of all images one after the other [n * elements, channels]."""
    perm = [0, *range(2, len(x.shape)), 1]
    shape = [x.shape[axis] for axis in perm]
    moved = call.make(Code.TRANSPOSE, [x, call.constant(perm)], shape, schema.TransposeOptionsT())
    if x.shape[1] is not None:
        return to_shape(call, moved, [-1, x.shape[1]], [None, x.shape[1]])
    channels = to_shape(call, size_at(call, x, 1), [1], [1])
    target = concat(call, [call.constant([-1]), channels], 0, [2])
    return call.make(Code.RESHAPE, [moved, target], [None, None], schema.ReshapeOptionsT())


def _read(call: Call, rows: Tensor, corner: Sequence[Tap], sizes: Sequence[Tensor]) -> Tensor:
    """Return what stands at a corner of every place, weighted [n, ..., channels]."""
    place: Tensor | None = None
    whole: Tensor | None = None
    weight: Tensor | None = None
    for (index, share), size in zip(corner, sizes, strict=True):
        kept, inside = _within(call, index, size)
        count = cast(call, size, "int32")
        place = kept if place is None else add(call, mul(call, place, count), kept)
        whole = count if whole is None else mul(call, whole, count)
        for factor in (share, inside):
            if factor is not None:
                weight = factor if weight is None else mul(call, weight, factor)
    assert place is not None, "an image has axes"
    assert whole is not None
    place = add(call, place, mul(call, coordinates(call, place, 0), whole))
    shape = [*place.shape, rows.shape[1]]
    found = call.make(Code.GATHER, [rows, place], shape, schema.GatherOptionsT())
    if weight is None:
        return found
    options = schema.ExpandDimsOptionsT()
    column = call.make(Code.EXPAND_DIMS, [weight, call.constant(-1)], [*weight.shape, 1], options)
    return mul(call, found, column)


def _within(call: Call, index: Tensor, size: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return places within an axis as int32, and with zeros around it, one where they were so and zero elsewhere."""
    mode, last = call.string("padding_mode", "zeros"), sub(call, size, 1.0)
    if mode == "reflection":
        index = _reflected(call, index, size)
    kept = minimum(call, maximum(call, index, 0.0), last)
    inside = None
    if mode == "zeros":
        inside = cast(call, compare(call, Code.EQUAL, kept, index), "float32")
    return cast(call, kept, "int32"), inside


def _reflected(call: Call, index: Tensor, size: Tensor) -> Tensor:
    """Return places turned back at the centres of the outer elements where corners are aligned, else at their edges."""
    beyond = 1.0 if call.int("align_corners", 0) else 0.0
    period = maximum(call, mul(call, sub(call, size, beyond), 2.0), 1.0)
    place = binary(call, Code.FLOOR_MOD, index, period)
    back = sub(call, sub(call, period, 1.0 - beyond), place)
    return select(call, compare(call, Code.LESS, back, place), back, place)
