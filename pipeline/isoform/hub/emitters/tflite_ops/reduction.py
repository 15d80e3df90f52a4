"""Reductions over axes that are known, or as many as are known: which ones may be computed while the model runs."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import Axes, add, compare, mul, reduce, select, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, Emit, op, sizes
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, NUMBERS, WIDER, require_dtype, widened
from isoform.hub.emitters.tflite_ops.moving import as_int32, concat, shape_of, to_shape
from isoform.hub.passes.fold_weights import constant

Reduction = Callable[[Call, Tensor, Axes, bool], Tensor]

_PLAIN = {
    "ReduceMax": (Code.REDUCE_MAX, (*NUMBERS, *WIDER)),
    "ReduceMean": (Code.MEAN, FLOATS),
    "ReduceMin": (Code.REDUCE_MIN, (*NUMBERS, *WIDER)),
    "ReduceProd": (Code.REDUCE_PROD, NUMBERS),
    "ReduceSum": (Code.SUM, NUMBERS),
}
_OF_BOOLEANS = {"ReduceMax": Code.REDUCE_ANY, "ReduceMin": Code.REDUCE_ALL}


def _plain(name: str) -> Emit:
    code, allowed = _PLAIN[name]

    def reduced(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
        if x.dtype == "bool" and name in _OF_BOOLEANS:
            return reduce(call, _OF_BOOLEANS[name], x, axes, keeps_axes=keeps_axes)
        require_dtype(call, x, allowed)
        return widened(call, [x], lambda them: reduce(call, code, them[0], axes, keeps_axes=keeps_axes))

    return _over_axes(reduced)


def _over_axes(compute: Reduction) -> Emit:
    def emit(call: Call) -> Tensor:
        """Return the reduction; no axes are all axes, or none with ``noop_with_empty_axes``."""
        axes = _axes(call)
        if _are_none(axes) and call.int("noop_with_empty_axes", 0):
            return compute(call, call[0], [], True) if call.node.op_type not in _PLAIN else call[0]
        axes = list(range(len(call[0].shape))) if _are_none(axes) else axes
        keeps_axes = bool(call.int("keepdims", 1))
        if keeps_axes and not isinstance(axes, Tensor) and takes_squeeze(call, axes):
            keeps_axes = False
        return compute(call, call[0], axes, keeps_axes)

    return emit


def takes_squeeze(call: Call, axes: Sequence[int]) -> bool:
    """Return whether all that reads a reduction drops the axes it keeps; then it stands for that, too."""
    rank = len(call[0].shape)
    gone = {axis % rank for axis in axes}
    wanted = [size for axis, size in enumerate(call[0].shape) if axis not in gone]
    chain = reshapes(call)
    for place, node in enumerate(chain):
        if wanted.count(None) <= 1 and list(sizes(node.outputs[0], call)) == wanted:
            for each in chain[: place + 1]:
                call.take(each)
            return True
    return False


def reshapes(call: Call) -> list[ir.Node]:
    """Return the nodes after this one, each all that reads the one before, that give its elements another shape."""
    found: list[ir.Node] = []
    last = call.last
    while True:
        uses = list(last.outputs[0].uses())
        if len(uses) != 1 or uses[0].idx or last.outputs[0].is_graph_output():
            return found
        last = uses[0].node
        if (
            last.op_type not in ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
            or last.domain
            or last.graph is not call.node.graph
        ):
            return found
        found.append(last)


def _axes(call: Call) -> Axes:
    """Return the axes, none where none are given."""
    if "axes" in call.node.attributes or not call.has(1) or call.array(1) is not None:
        return call.ints_of("axes", 1) or []
    axes, count = as_int32(call, call[1]), call[1].shape[0]
    if count is not None:
        return axes if count else []
    if not call.int("keepdims", 1) or call.int("noop_with_empty_axes", 0):
        raise call.refusal("computed axes of an unknown number")
    return _or_all(call, axes)


def _or_all(call: Call, axes: Tensor) -> Tensor:
    """Return the axes and one of them again and again, or where there are none, all axes."""
    every = call.constant(np.arange(len(call[0].shape)))
    is_empty = compare(call, Code.EQUAL, shape_of(call, axes), 0)
    filling = select(call, is_empty, every, reduce(call, Code.REDUCE_MAX, axes, [0]))
    return concat(call, [axes, filling], 0, [None])


def _are_none(axes: Axes) -> bool:
    return not isinstance(axes, Tensor) and not axes


for _name in _PLAIN:
    op(_name)(_plain(_name))


def _sum(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    """Return the sum over axes, x itself over none."""
    return reduce(call, Code.SUM, x, axes, keeps_axes=keeps_axes) if not _are_none(axes) else x


def _l1(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    require_dtype(call, x, FLOATS)
    return _sum(call, unary(call, Code.ABS, x), axes, keeps_axes)


def _l2(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    return unary(call, Code.SQRT, _sum_square(call, x, axes, keeps_axes))


def _sum_square(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    require_dtype(call, x, FLOATS)
    return _sum(call, mul(call, x, x), axes, keeps_axes)


def _log_sum(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    require_dtype(call, x, FLOATS)
    return unary(call, Code.LOG, _sum(call, x, axes, keeps_axes))


def _log_sum_exp(call: Call, x: Tensor, axes: Axes, keeps_axes: bool) -> Tensor:
    """Return m + log(sum(exp(x - m))), m the largest, so that nothing overflows."""
    require_dtype(call, x, FLOATS)
    if _are_none(axes):
        return x
    largest = reduce(call, Code.REDUCE_MAX, x, axes)
    spread = unary(call, Code.EXP, sub(call, x, largest))
    inner = unary(call, Code.LOG, _sum(call, spread, axes, keeps_axes))
    top = largest if keeps_axes else reduce(call, Code.REDUCE_MAX, x, axes, keeps_axes=False)
    return add(call, inner, top)


for _name, _compute in {
    "ReduceL1": _l1,
    "ReduceL2": _l2,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceSumSquare": _sum_square,
}.items():
    op(_name)(_over_axes(_compute))


@op("CumSum", since=11)
def cumulative_sum(call: Call) -> Tensor:
    """Return running sums; with ``exclusive`` without the element itself, with ``reverse`` from the end."""
    require_dtype(call, call[0], NUMBERS)
    axis = constant(call.node.inputs[1])
    options = schema.CumsumOptionsT()
    options.exclusive, options.reverse = bool(call.int("exclusive", 0)), bool(call.int("reverse", 0))
    if axis is None:
        place = to_shape(call, as_int32(call, call[1]), [], [])
    else:
        place = call.constant(int(axis.reshape(-1)[0]) % len(call[0].shape))
    return call.make(Code.CUMSUM, [call[0], place], call[0].shape, options)
