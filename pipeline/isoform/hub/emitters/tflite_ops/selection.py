"""Elements by their place or by their rank among others."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, compare, select, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, NUMBERS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import as_int32, cast, strided_slice


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
        return strided_slice(call, call[0], begin, end, [1] * rank, call.shape, open_ends, axis)
    options = schema.GatherOptionsT()
    options.axis = axis
    return call.make(Code.GATHER, [call[0], _from_start(call, call[0].shape[axis])], call.shape, options)


def _from_start(call: Call, size: int | None) -> Tensor:
    """Return the places, input 1, on an axis of ``size``, all counted from its start."""
    places = call.array(1)
    if places is None:
        if size is None:
            return call[1]
        return select(call, compare(call, Code.LESS, call[1], 0), add(call, call[1], size), call[1])
    if (places < 0).any() and size is None:
        raise call.refusal("places counted from the end of a dynamic axis")
    return call.constant(np.where(places < 0, places + (size or 0), places))


@op("GatherElements", since=11)
def gather_elements(call: Call) -> Tensor:
    """Return x at places along one axis, one place for each element of the result."""
    x = call[0]
    flat = call.make(Code.RESHAPE, [x, call.constant([-1])], [None], schema.ReshapeOptionsT())
    return call.make(Code.GATHER, [flat, _flat_places(call)], call.shape, schema.GatherOptionsT())


@op("ScatterElements", since=11)
def scatter_elements(call: Call) -> Tensor:
    """Return x with updates put at places along one axis."""
    x, updates = call[0], call[2]
    places = _flat_places(call)
    size = int(np.prod([size for size in x.shape if size is not None]))
    column = call.make(Code.RESHAPE, [places, call.constant([-1, 1])], [None, 1], schema.ReshapeOptionsT())
    rows, flat = (
        call.make(Code.RESHAPE, [tensor, call.constant([-1])], [None], schema.ReshapeOptionsT())
        for tensor in (updates, x)
    )
    found = _scattered(call, flat, column, rows, call.constant([size]))
    return call.make(Code.RESHAPE, [found, call.constant(x.shape)], call.shape, schema.ReshapeOptionsT())


def _flat_places(call: Call) -> Tensor:
    """Return the places, input 1, as places in the flattened x; shapes have to be known."""
    sizes, taken = ([size for size in call[index].shape if size is not None] for index in (0, 1))
    if len(sizes) != len(call[0].shape) or len(taken) != len(call[1].shape):
        raise call.refusal("dynamic sizes")
    axis = call.int("axis", 0) % len(sizes)
    strides = [int(np.prod(sizes[place + 1 :])) for place in range(len(sizes))]
    grid = np.indices(taken)
    others = sum(grid[place] * stride for place, stride in enumerate(strides) if place != axis)
    along = as_int32(call, _from_start(call, sizes[axis]))
    scaled = call.make(Code.MUL, [along, call.constant(strides[axis])], taken, schema.MulOptionsT())
    return add(call, scaled, call.constant(np.broadcast_to(others, taken)))


@op("GatherND", since=11)
def gather_nd(call: Call) -> Tensor:
    """Return the slices of x at places that are vectors."""
    if call.int("batch_dims", 0):
        raise call.refusal("batch_dims")
    return call.make(Code.GATHER_ND, [call[0], _vectors(call)], call.shape, schema.GatherNdOptionsT())


@op("ScatterND", since=11)
def scatter_nd(call: Call) -> Tensor:
    """Return x with slices put at places that are vectors."""
    if None in call[0].shape:
        raise call.refusal("dynamic sizes")
    return _scattered(call, call[0], _vectors(call), call[2], call.constant(call[0].shape))


def _vectors(call: Call) -> Tensor:
    """Return places whose last axis counts along the first axes of x, made to count from the start of each."""
    vectors = as_int32(call, call[1])
    depth = vectors.shape[-1]
    sizes = call[0].shape[:depth] if depth is not None else (None,)
    if None in sizes:
        raise call.refusal("places on dynamic axes")
    return select(call, compare(call, Code.LESS, vectors, 0), add(call, vectors, call.constant(sizes)), vectors)


def _scattered(call: Call, x: Tensor, places: Tensor, updates: Tensor, shape: Tensor) -> Tensor:
    """Return x with updates at places: replaced, or added, which TFLite's own scatter does into zeros."""
    require_dtype(call, x, NUMBERS)
    reduction = call.string("reduction", "none")
    options = schema.ScatterNdOptionsT()
    sums = call.make(Code.SCATTER_ND, [places, updates, shape], x.shape, options, x.dtype)
    if reduction == "add":
        return add(call, x, sums)
    if reduction != "none":
        raise call.refusal(f"reduction '{reduction}'")
    flags = unary(call, Code.ZEROS_LIKE, updates)
    counts = call.make(Code.SCATTER_ND, [places, add(call, flags, 1), shape], x.shape, options, x.dtype)
    return select(call, compare(call, Code.GREATER, counts, 0), sums, x)


@op("ArgMax")
def arg_max(call: Call) -> Tensor:
    return _extreme(call, Code.ARG_MAX, schema.ArgMaxOptionsT())


@op("ArgMin")
def arg_min(call: Call) -> Tensor:
    return _extreme(call, Code.ARG_MIN, schema.ArgMinOptionsT())


def _extreme(call: Call, code: int, options: schema.ArgMaxOptionsT | schema.ArgMinOptionsT) -> Tensor:
    """Return the place of the first extreme element, or of the last one, as int64."""
    x, rank = call[0], len(call[0].shape)
    require_dtype(call, x, FLOATS)
    axis = call.int("axis", 0) % rank
    is_last, size = bool(call.int("select_last_index", 0)), x.shape[axis]
    if is_last:
        if size is None:
            raise call.refusal("select_last_index on a dynamic axis")
        x = call.make(Code.REVERSE_V2, [x, call.constant([axis])], x.shape, schema.ReverseV2OptionsT())
    options.outputType = schema.TensorType.INT64
    shape = [size for place, size in enumerate(x.shape) if place != axis]
    found = call.make(code, [x, call.constant(axis)], shape, options, "int64")
    if is_last and size is not None:
        found = sub(call, call.constant(size - 1, "int64"), found)
    if not call.int("keepdims", 1):
        return found
    return call.make(Code.EXPAND_DIMS, [found, call.constant(axis)], call.shape, schema.ExpandDimsOptionsT())


@op("TopK", since=10)
def top_k(call: Call) -> list[Tensor]:
    """Return the k largest or smallest elements along an axis, and their places as int64."""
    x, rank = call[0], len(call[0].shape)
    require_dtype(call, x, NUMBERS)
    axis, is_largest = call.int("axis", -1) % rank, bool(call.int("largest", 1))
    perm = [*(place for place in range(rank) if place != axis), axis]
    k = call.array(1)
    shape = [*(x.shape[place] for place in perm[:-1]), None if k is None else int(k.reshape(-1)[0])]
    count = strided_slice(call, as_int32(call, call[1]), [0], [1], [1], [], dropped=0)
    x = _moved(call, x, perm)
    x = x if is_largest else unary(call, Code.NEG, x)
    values, places = (call.graph.tensor(f"{call.node.name}/{name}", x.dtype, shape) for name in ("values", "places"))
    places = type(places)(places.index, places.name, "int32", places.shape)
    call.graph.tensors[places.index] = places
    call.graph.add(Code.TOPK_V2, [x, count], [values, places], schema.TopKV2OptionsT())
    values = values if is_largest else unary(call, Code.NEG, values)
    back = [perm.index(place) for place in range(rank)]
    return [_moved(call, values, back), _moved(call, cast(call, places, "int64"), back)]


def _moved(call: Call, x: Tensor, perm: list[int]) -> Tensor:
    if perm == sorted(perm):
        return x
    shape = [x.shape[place] for place in perm]
    return call.make(Code.TRANSPOSE, [x, call.constant(perm)], shape, schema.TransposeOptionsT())


@op("OneHot", since=9)
def one_hot(call: Call) -> Tensor:
    """Return vectors with one number at a place and another elsewhere; places count from the end too."""
    depth, values = call.array(1), call.array(2)
    if depth is None or values is None or call[0].dtype not in ("int32", "int64") or call.dtype not in NUMBERS:
        raise call.refusal("computed depth or values, or other dtypes")
    size = int(depth.reshape(-1)[0])
    places = select(call, compare(call, Code.LESS, call[0], 0), add(call, call[0], size), call[0])
    options = schema.OneHotOptionsT()
    options.axis = call.int("axis", -1)
    numbers = [call.constant(values[place], call.dtype) for place in (1, 0)]
    return call.make(Code.ONE_HOT, [places, call.constant(size), *numbers], call.shape, options, call.dtype)


@op("Hardmax", since=13)
def hardmax(call: Call) -> Tensor:
    """Return one at the first largest element along an axis, zeros elsewhere."""
    require_dtype(call, call[0], FLOATS)
    axis = call.int("axis", -1) % len(call.shape)
    size = call[0].shape[axis]
    if size is None:
        raise call.refusal("a dynamic axis")
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT32
    shape = [each for place, each in enumerate(call.shape) if place != axis]
    places = call.make(Code.ARG_MAX, [call[0], call.constant(axis)], shape, options, "int32")
    spread = schema.OneHotOptionsT()
    spread.axis = axis
    numbers = [call.constant(number, "float32") for number in (1, 0)]
    return call.make(Code.ONE_HOT, [places, call.constant(size), *numbers], call.shape, spread, "float32")


@op("NonZero", since=9)
def non_zero(call: Call) -> Tensor:
    """Return the places of all elements other than zero, int64 [axis, element]."""
    x = call[0]
    require_dtype(call, x, (*NUMBERS, "bool"))
    flags = x if x.dtype == "bool" else compare(call, Code.NOT_EQUAL, x, 0)
    rows = call.make(Code.WHERE, [flags], [None, len(x.shape)], dtype="int64")
    return call.make(Code.TRANSPOSE, [rows, call.constant([1, 0])], call.shape, schema.TransposeOptionsT())


@op("ReverseSequence", since=10)
def reverse_sequence(call: Call) -> Tensor:
    """Return x with the first elements of each sequence reversed."""
    options = schema.ReverseSequenceOptionsT()
    options.seqDim, options.batchDim = call.int("time_axis", 0), call.int("batch_axis", 1)
    return call.make(Code.REVERSE_SEQUENCE, [call[0], call[1]], call.shape, options)
