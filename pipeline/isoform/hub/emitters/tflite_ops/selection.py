"""Elements by their rank among others, and places as vectors with a one."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, compare, select, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, NUMBERS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import as_int32, cast, strided_slice, to_shape

_RANKED = (*FLOATS, "int32", "int8", "uint8")
"""What LiteRT's ARG_MAX and ARG_MIN compare."""


@op("ArgMax")
def arg_max(call: Call) -> Tensor:
    return _extreme(call, Code.ARG_MAX, schema.ArgMaxOptionsT())


@op("ArgMin")
def arg_min(call: Call) -> Tensor:
    return _extreme(call, Code.ARG_MIN, schema.ArgMinOptionsT())


def _extreme(call: Call, code: int, options: schema.ArgMaxOptionsT | schema.ArgMinOptionsT) -> Tensor:
    """Return the place of the first extreme element, or of the last one, as int64."""
    x, rank = call[0], len(call[0].shape)
    require_dtype(call, x, _RANKED)
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
    numbers = call[2]
    if numbers.dtype not in (*NUMBERS, "int8", "uint8", "bool"):
        raise call.refusal(f"it works on {numbers.dtype}")
    depth, places = (each if each.dtype == "int32" else cast(call, each, "int32") for each in (call[1], call[0]))
    depth = to_shape(call, depth, [], []) if depth.shape else depth
    places = select(call, compare(call, Code.LESS, places, 0), add(call, places, depth), places)
    options, axis = schema.OneHotOptionsT(), call.int("axis", -1)
    options.axis = axis if axis == -1 else axis % (len(places.shape) + 1)
    off, on = (strided_slice(call, numbers, [place], [place + 1], [1], [], dropped=0) for place in (0, 1))
    return call.make(Code.ONE_HOT, [places, depth, on, off], call.shape, options, numbers.dtype)


@op("Compress", since=9)
def compress(call: Call) -> Tensor:
    """Return the elements along an axis, or of all of x as a row, whose flag is set."""
    x, axis = call[0], call.int("axis", 0)
    if "axis" not in call.node.attributes:
        x = to_shape(call, x, [-1], [None])
    axis %= len(x.shape)
    rows = call.make(Code.WHERE, [call[1]], [None, 1], dtype="int64")
    options = schema.GatherOptionsT()
    options.axis = axis
    shape = [*x.shape[:axis], None, *x.shape[axis + 1 :]]
    return call.make(Code.GATHER, [x, to_shape(call, cast(call, rows, "int32"), [-1], [None])], shape, options)


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


_REVERSED_AS = {"bool": "uint8", "int8": "int16"}
"""What the kernel has in the place of dtypes that it lacks."""


@op("ReverseSequence", since=10)
def reverse_sequence(call: Call) -> Tensor:
    """Return x with the first elements of each sequence reversed."""
    options = schema.ReverseSequenceOptionsT()
    options.seqDim, options.batchDim = call.int("time_axis", 0), call.int("batch_axis", 1)
    x = call[0]
    carrier = _REVERSED_AS.get(x.dtype)
    if carrier is None:
        return call.make(Code.REVERSE_SEQUENCE, [x, call[1]], call.shape, options)
    found = call.make(Code.REVERSE_SEQUENCE, [cast(call, x, carrier), call[1]], call.shape, options)
    return cast(call, found, x.dtype)
