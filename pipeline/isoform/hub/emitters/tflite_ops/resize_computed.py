"""Resize by factors or to sizes that are computed while the model runs, and along axes whose size is dynamic.

Axis by axis, the places in x are computed as the standard defines them; what stands there is gathered.
"""

from collections.abc import Sequence

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, compare, div, maximum, minimum, mul, select, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.emitters.tflite_ops.moving import as_int32, cast, size_at, strided_slice, to_shape

_COORDINATES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners")


def resized_by_computed(call: Call, perm: Sequence[int]) -> Tensor:
    """Return x resized along every axis that may change.

    Args:
        perm: for each axis of x, the one that the graph calls it by.
    """
    mode = call.string("mode", "nearest")
    if call.int("antialias", 0):
        raise call.refusal("antialias with computed scales or sizes")
    if call.string("coordinate_transformation_mode", "half_pixel") not in _COORDINATES:
        raise call.refusal("these coordinates with computed scales or sizes")
    rank = len(perm)
    axes = [axis % rank for axis in call.ints("axes") or range(rank)]
    has_scales = call.has(2) and call[2].shape != (0,)
    factors = call[2] if has_scales else as_int32(call, call[3])
    x = call[0]
    for place, axis in enumerate(axes):
        if has_scales or not _is_kept(call, perm.index(axis)):
            factor = strided_slice(call, factors, [place], [place + 1], [1], [], dropped=0)
            x = _along(call, x, perm.index(axis), factor, mode)
    return x


def _is_kept(call: Call, axis: int) -> bool:
    """Return whether an axis has the same name before and after, or the same known size."""
    one, other = call.node.inputs[0], call.node.outputs[0]
    if one is None or one.shape is None or other.shape is None:
        return False
    before, after = one.shape[axis], other.shape[axis]
    return before == after and (isinstance(before, int) or (isinstance(before, ir.SymbolicDim) and bool(before.value)))


def _along(call: Call, x: Tensor, axis: int, factor: Tensor, mode: str) -> Tensor:
    size = cast(call, size_at(call, x, axis), "float32")
    if factor.dtype == "float32":
        scale, count = factor, unary(call, Code.FLOOR, mul(call, size, factor))
    else:
        count = cast(call, factor, "float32")
        scale = div(call, count, size)
    bounds = [call.constant(0.0, "float32"), count, call.constant(1.0, "float32")]
    index = call.make(Code.RANGE, bounds, [None], schema.RangeOptionsT())
    last = sub(call, size, 1.0)
    places = _places(call, index, scale, size, count)
    if mode == "nearest":
        return _taken(call, x, axis, _bounded(call, _rounded(call, places), last))
    if mode == "cubic":
        return _cubic(call, x, axis, places, last)
    inside = _bounded(call, places, last)
    first = unary(call, Code.FLOOR, inside)
    share = _beside(call, x, axis, sub(call, inside, first))
    low, high = _taken(call, x, axis, first), _taken(call, x, axis, minimum(call, add(call, first, 1.0), last))
    return add(call, mul(call, low, sub(call, 1.0, share)), mul(call, high, share))


def _cubic(call: Call, x: Tensor, axis: int, places: Tensor, last: Tensor) -> Tensor:
    """Return the sum of four neighbours; beyond the ends the last one stands, or nothing (``exclude_outside``)."""
    first = unary(call, Code.FLOOR, places)
    share = sub(call, places, first)
    leaves_out = bool(call.int("exclude_outside", 0))
    neighbours, weights = [], []
    for offset in (-1.0, 0.0, 1.0, 2.0):
        neighbour = add(call, first, offset)
        inside = _bounded(call, neighbour, last)
        weight = _keys(call, unary(call, Code.ABS, sub(call, share, offset)))
        if leaves_out:
            weight = mul(call, weight, cast(call, compare(call, Code.EQUAL, neighbour, inside), "float32"))
        neighbours.append(inside)
        weights.append(weight)
    if leaves_out:
        total = add(call, add(call, weights[0], weights[1]), add(call, weights[2], weights[3]))
        weights = [div(call, weight, total) for weight in weights]
    terms = [
        mul(call, _taken(call, x, axis, place), _beside(call, x, axis, weight))
        for place, weight in zip(neighbours, weights, strict=True)
    ]
    return add(call, add(call, terms[0], terms[1]), add(call, terms[2], terms[3]))


def _keys(call: Call, distance: Tensor) -> Tensor:
    """Return the weight of an element at a distance from 0 to 2 (Keys, 1981, with the coefficient of the node)."""
    a = call.float("cubic_coeff_a", -0.75)
    near, far = (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)
    polynomials = []
    for factors in (near, far):
        found = mul(call, distance, factors[0])
        for factor in factors[1:-1]:
            found = mul(call, add(call, found, factor), distance)
        polynomials.append(add(call, found, factors[-1]))
    return select(call, compare(call, Code.LESS_EQUAL, distance, 1.0), *polynomials)


def _beside(call: Call, x: Tensor, axis: int, numbers: Tensor) -> Tensor:
    """Return a row of numbers along an axis of x."""
    shape = [-1 if place == axis else 1 for place in range(len(x.shape))]
    return to_shape(call, numbers, shape, [None if dim < 0 else 1 for dim in shape])


def _places(call: Call, index: Tensor, scale: Tensor, size: Tensor, count: Tensor) -> Tensor:
    """Return where in x each element of the result lies."""
    coordinates = call.string("coordinate_transformation_mode", "half_pixel")
    if coordinates == "asymmetric":
        return div(call, index, scale)
    if coordinates == "align_corners":
        step = div(call, sub(call, size, 1.0), maximum(call, sub(call, count, 1.0), 1.0))
        return mul(call, index, step)
    places = sub(call, div(call, add(call, index, 0.5), scale), 0.5)
    if coordinates == "pytorch_half_pixel":
        return select(call, compare(call, Code.GREATER, count, 1.0), places, mul(call, index, 0.0))
    if coordinates == "half_pixel_symmetric":
        share = div(call, count, mul(call, size, scale))
        return add(call, places, mul(call, mul(call, size, 0.5), sub(call, 1.0, share)))
    return places


def _rounded(call: Call, places: Tensor) -> Tensor:
    mode = call.string("nearest_mode", "round_prefer_floor")
    if mode == "round_prefer_floor":
        return unary(call, Code.CEIL, sub(call, places, 0.5))
    if mode == "round_prefer_ceil":
        return unary(call, Code.FLOOR, add(call, places, 0.5))
    return unary(call, Code.FLOOR if mode == "floor" else Code.CEIL, places)


def _bounded(call: Call, places: Tensor, last: Tensor) -> Tensor:
    return minimum(call, maximum(call, places, 0.0), last)


def _taken(call: Call, x: Tensor, axis: int, places: Tensor) -> Tensor:
    options = schema.GatherOptionsT()
    options.axis = axis
    shape = [*x.shape[:axis], None, *x.shape[axis + 1 :]]
    return call.make(Code.GATHER, [x, cast(call, places, "int32")], shape, options)
