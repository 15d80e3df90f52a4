"""Elements put at places: along one axis, or as vectors of places; replaced, added or reduced."""

import math
from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, binary, compare, mul, reduce, select, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import NUMBERS, widened
from isoform.hub.emitters.tflite_ops.gathering import flat_places, strides_of, vectors
from isoform.hub.emitters.tflite_ops.moving import shape_of, size_at, to_shape

_SEGMENTS = {
    "max": (Code.UNSORTED_SEGMENT_MAX, Code.MAXIMUM, schema.UnsortedSegmentMaxOptionsT),
    "min": (Code.UNSORTED_SEGMENT_MIN, Code.MINIMUM, schema.UnsortedSegmentMinOptionsT),
    "mul": (Code.UNSORTED_SEGMENT_PROD, Code.MUL, schema.UnsortedSegmentProdOptionsT),
}
"""By reduction: what reduces the updates of one place, what joins the result with x, and the former's options."""
_WIDENED = {"bool": "int32", "int8": "int32", "uint8": "int32", "int16": "int32", "float16": "float32"}


@op("Scatter", "ScatterElements", since=9)
def scatter_elements(call: Call) -> Tensor:
    """Return x with updates put at places along one axis."""
    x = call[0]
    places = to_shape(call, flat_places(call), [-1, 1], [None, 1])
    known, taken = (
        None if None in each.shape else math.prod(size or 0 for size in each.shape) for each in (x, call[2])
    )
    flat, rows = to_shape(call, x, [-1], [known]), to_shape(call, call[2], [-1], [taken])
    found = _scattered(call, flat, places, rows, _count(call, x))
    return call.make(Code.RESHAPE, [found, _sizes(call, x)], x.shape, schema.ReshapeOptionsT())


@op("ScatterND", since=11)
def scatter_nd(call: Call) -> Tensor:
    """Return x with slices put at places that are vectors."""
    return _scattered(call, call[0], vectors(call), call[2], _sizes(call, call[0]))


def _count(call: Call, x: Tensor) -> Tensor:
    """Return the number of elements of x, int32 [1]."""
    if None not in x.shape:
        return call.constant([math.prod(size or 0 for size in x.shape)])
    return reduce(call, Code.REDUCE_PROD, shape_of(call, x), [0])


def _sizes(call: Call, x: Tensor) -> Tensor:
    return shape_of(call, x) if None in x.shape else call.constant(x.shape)


def _scattered(call: Call, x: Tensor, places: Tensor, updates: Tensor, shape: Tensor) -> Tensor:
    """Return x with updates at places; TFLite's own scatter adds them up, among zeros."""
    from_dtype = x.dtype
    if from_dtype not in (*NUMBERS, *_WIDENED):
        raise call.refusal(f"it works on {from_dtype}")
    reduction = call.string("reduction", "none")

    def put(both: Sequence[Tensor]) -> Tensor:
        x, updates = both
        if reduction in _SEGMENTS:
            return _reduced(call, x, places, updates, reduction)
        sums = _sums(call, x, places, updates, shape)
        if reduction == "add":
            return add(call, x, sums)
        ones = add(call, unary(call, Code.ZEROS_LIKE, updates), 1)
        counts = _sums(call, x, places, ones, shape)
        return select(call, compare(call, Code.GREATER, counts, 0), sums, x)

    return widened(call, [x, updates], put, _WIDENED)


def _sums(call: Call, x: Tensor, places: Tensor, updates: Tensor, shape: Tensor) -> Tensor:
    return call.make(Code.SCATTER_ND, [places, updates, shape], x.shape, schema.ScatterNdOptionsT(), x.dtype)


def _reduced(call: Call, x: Tensor, places: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """Return x joined with the reduction of the updates of each place, slices as rows."""
    depth = places.shape[-1] or 0
    if None in x.shape[1:] or x.dtype == "int64":
        raise call.refusal(f"reduction '{reduction}' of dynamic sizes behind the first or of int64")
    width = math.prod(size or 0 for size in x.shape[depth:])
    strides = [stride // max(width, 1) for stride in strides_of(call, x)[:depth] if isinstance(stride, int)]
    numbers = reduce(call, Code.SUM, mul(call, places, call.constant(strides)), [-1], keeps_axes=False)
    numbers = to_shape(call, numbers, [-1], [None])
    rows = to_shape(call, updates, [-1, width], [None, width])
    code, join, options = _SEGMENTS[reduction]
    found = call.make(code, [rows, numbers, _segments(call, x, depth)], [None, width], options())
    found = call.make(Code.RESHAPE, [found, _sizes(call, x)], x.shape, schema.ReshapeOptionsT())
    return binary(call, join, x, found)


def _segments(call: Call, x: Tensor, depth: int) -> Tensor:
    """Return how many slices x has behind its first ``depth`` axes, a scalar; only the first may be dynamic."""
    known = math.prod(size or 0 for size in x.shape[1:depth])
    if x.shape[0] is not None:
        return call.constant(x.shape[0] * known)
    return mul(call, size_at(call, x, 0), known)
