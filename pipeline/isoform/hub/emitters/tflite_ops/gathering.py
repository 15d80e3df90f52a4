"""Elements by their places: along one axis, for each element of the result, or as vectors of places."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, compare, mul, select, sub
from isoform.hub.emitters.tflite_ops.axes import is_for_reshape
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import as_int32, concat, shape_of, size_at, strided_slice, to_shape
from isoform.hub.passes.never_negative import is_never_negative


@op("Gather")
def gather(call: Call) -> Tensor:
    """Return the elements at places along an axis; a place outside makes the interpreter refuse the call."""
    rank = len(call[0].shape)
    axis = call.int("axis", 0) % rank
    places = call.array(1)
    if places is not None and places.ndim == 0:
        begin, end = [0] * rank, [0] * rank
        begin[axis] = int(places)
        end[axis] = begin[axis] + 1
        others = set(range(rank)) - {axis}
        open_ends = others | ({axis} if int(places) == -1 else set())
        if not is_for_reshape(call[0], call.shape):
            return strided_slice(call, call[0], begin, end, [1] * rank, call.shape, open_ends, axis)
        kept = [1 if place == axis else size for place, size in enumerate(call[0].shape)]
        taken = strided_slice(call, call[0], begin, end, [1] * rank, kept, open_ends)
        return to_shape(call, taken, [-1 if size is None else size for size in call.shape])
    options = schema.GatherOptionsT()
    options.axis = axis
    return call.make(Code.GATHER, [call[0], from_start(call, axis)], call.shape, options)


def from_start(call: Call, axis: int) -> Tensor:
    """Return the places, input 1, on an axis of x, all counted from its start."""
    places, size = call.array(1), call[0].shape[axis]
    if places is not None and (size is not None or (places >= 0).all()):
        return call.constant(np.where(places < 0, places + (size or 0), places))
    if is_never_negative(call.node.inputs[1]):
        return call[1]
    whole = call.constant(size, call[1].dtype) if size is not None else size_at(call, call[0], axis, call[1].dtype)
    return select(call, compare(call, Code.LESS, call[1], 0), add(call, call[1], whole), call[1])


@op("GatherElements", since=11)
def gather_elements(call: Call) -> Tensor:
    """Return x at places along one axis, one place for each element of the result."""
    flat = call.make(Code.RESHAPE, [call[0], call.constant([-1])], [None], schema.ReshapeOptionsT())
    return call.make(Code.GATHER, [flat, flat_places(call)], call[1].shape, schema.GatherOptionsT())


def flat_places(call: Call) -> Tensor:
    """Return the places, input 1, along ``axis`` as places in the flattened x."""
    x, taken = call[0], call[1].shape
    axis = call.int("axis", 0) % len(x.shape)
    strides = strides_of(call, x)
    found = _times(call, as_int32(call, from_start(call, axis)), strides[axis])
    known = [place for place, size in enumerate(taken) if place != axis and size is not None]
    known = [place for place in known if isinstance(strides[place], int)]
    for place in range(len(taken)):
        if place != axis and place not in known and taken[place] != 1:
            found = add(call, found, _times(call, coordinates(call, call[1], place), strides[place]))
    sizes = [taken[place] or 1 if place in known else 1 for place in range(len(taken))]
    offsets = sum(np.indices(sizes)[place] * strides[place] for place in known)
    return add(call, found, call.constant(offsets)) if np.any(offsets) else found


def _times(call: Call, places: Tensor, stride: int | Tensor) -> Tensor:
    return places if stride == 1 else mul(call, places, stride)


def strides_of(call: Call, x: Tensor) -> list[int | Tensor]:
    """Return by how many elements a step along each axis of x moves on, numbers where they are known."""
    strides: list[int | Tensor] = [1]
    for axis in range(len(x.shape) - 1, 0, -1):
        size, inner = x.shape[axis], strides[0]
        if size is not None:
            strides.insert(0, size * inner if isinstance(inner, int) else mul(call, inner, size))
        else:
            strides.insert(0, mul(call, size_at(call, x, axis), inner))
    return strides


def coordinates(call: Call, x: Tensor, axis: int) -> Tensor:
    """Return 0, 1, ... up to the size of an axis of x, int32, in a shape that broadcasts with x."""
    size, rank = x.shape[axis], len(x.shape)
    shape = [size if place == axis else 1 for place in range(rank)]
    if size is not None:
        return call.constant(np.arange(size).reshape([each or 1 for each in shape]))
    bounds = [call.constant(0), size_at(call, x, axis), call.constant(1)]
    row = call.make(Code.RANGE, bounds, [size], schema.RangeOptionsT())
    return to_shape(call, row, [-1 if each is None else each for each in shape], shape)


@op("GatherND", since=11)
def gather_nd(call: Call) -> Tensor:
    """Return the slices of x at places that are vectors, those of each batch in the same batch of x."""
    batches = call.int("batch_dims", 0)
    places = vectors(call, batches)
    if batches:
        shape = [*places.shape[:-1], 1]
        ends = set(range(len(shape) - 1))
        zeros = [0] * len(shape)
        column = strided_slice(call, places, zeros, [*zeros[1:], 1], [1] * len(shape), shape, ends)
        nothing = sub(call, column, column)
        columns = [add(call, nothing, coordinates(call, column, axis)) for axis in range(batches)]
        depth = (places.shape[-1] or 0) + batches
        places = concat(call, [*columns, places], len(shape) - 1, [*shape[:-1], depth])
    return call.make(Code.GATHER_ND, [call[0], places], call.shape, schema.GatherNdOptionsT())


def vectors(call: Call, batches: int = 0) -> Tensor:
    """Return places whose last axis counts along axes of x, made to count from the start of each."""
    depth = call[1].shape[-1]
    if depth is None:
        raise call.refusal("places of unknown length")
    known: Sequence[int | None] = call[0].shape[batches : batches + depth]
    array = call.array(1)
    if array is not None and (None not in known or (array >= 0).all()):
        sizes = np.array([size or 0 for size in known])
        return call.constant(np.where(array < 0, array + sizes, array))
    places = as_int32(call, call[1])
    if None not in known:
        limits = call.constant(known)
    else:
        limits = strided_slice(call, shape_of(call, call[0]), [batches], [batches + depth], [1], [depth])
    return select(call, compare(call, Code.LESS, places, 0), add(call, places, limits), places)
