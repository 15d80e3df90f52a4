"""Loop and Scan: a WHILE whose sub-graph holds the body; what each round puts out is written into its place.

A WHILE carries everything that the body reads from outside, too. Before the first round the tensors that rounds put out
to are made in full, so that the number of rounds and the sizes of one of them have to be known by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, minimum
from isoform.hub.emitters.tflite_ops.call import Call, Code, Scope, op
from isoform.hub.emitters.tflite_ops.control import scalar
from isoform.hub.emitters.tflite_ops.emission import captured, emit_nodes, own_tensor, tensor_of
from isoform.hub.emitters.tflite_ops.moving import cast, concat, shape_of, size_at, strided_slice
from isoform.hub.passes.describe_bodies import scan_axis

_MOST_ROUNDS = 1 << 24
"""Beyond this a count means 'until the condition fails'."""


@dataclass(frozen=True)
class Repeated:
    """What is done again and again.

    Attributes:
        states: what is carried from round to round, one for each input of the body after the first ``skipped`` ones.
        elements: sequences of which each round is given one element, along the first axis.
        rounds: how many at most, int32.
        goes_on: a flag that the body's first output takes over; None where only the rounds count.
    """

    body: ir.Graph
    states: list[Tensor]
    elements: list[Tensor]
    rounds: Tensor
    goes_on: Tensor | None


@op("Loop")
def loop(call: Call) -> list[Tensor]:
    """Return the carried values after the last round, then what every round put out, stacked."""
    body = call.node.attributes["body"].as_graph()
    limit = call.array(0)
    if not call.has(0) or (limit is not None and int(limit.reshape(-1)[0]) > _MOST_ROUNDS):
        rounds = call.constant(2**31 - 2)
        if len(body.outputs) > len(call.node.inputs) - 1:
            raise call.refusal("results of each of an unknown number of rounds")
    else:
        rounds = scalar(call, cast(call, minimum(call, call[0], 2**31 - 2), "int32") if limit is None else call[0])
        rounds = call.constant(int(limit.reshape(-1)[0])) if limit is not None else rounds
    goes_on = scalar(call, call[1]) if call.has(1) else call.constant(True, "bool")
    states = [call[index] for index in range(2, len(call.node.inputs))]
    return _repeat(call, Repeated(body, states, [], rounds, goes_on))


@op("Scan", since=9)
def scan(call: Call) -> list[Tensor]:
    """Return the states after the last element, then what was put out for each, stacked along its axis."""
    body = call.node.attributes["body"].as_graph()
    count = call.int("num_scan_inputs", 1)
    first = len(call.node.inputs) - count
    flags = [call.ints(f"scan_{side}_directions") or [] for side in ("input", "output")]
    elements = []
    for place in range(count):
        x = call[first + place]
        x = _moved(call, x, scan_axis(call.node, "scan_input_axes", place, len(x.shape)), 0)
        elements.append(_reversed(call, x) if place < len(flags[0]) and flags[0][place] else x)
    states = [call[index] for index in range(first)]
    rounds = size_at(call, elements[0], 0)
    results = _repeat(call, Repeated(body, states, elements, rounds, None))
    for place, x in enumerate(results[first:]):
        x = _reversed(call, x) if place < len(flags[1]) and flags[1][place] else x
        axis = scan_axis(call.node, "scan_output_axes", place, len(x.shape))
        results[first + place] = _moved(call, x, 0, axis)
    return results


def _moved(call: Call, x: Tensor, axis: int, to: int) -> Tensor:
    if axis == to:
        return x
    perm = [place for place in range(len(x.shape)) if place != axis]
    perm.insert(to, axis)
    shape = [x.shape[place] for place in perm]
    return call.make(Code.TRANSPOSE, [x, call.constant(perm)], shape, schema.TransposeOptionsT())


def _reversed(call: Call, x: Tensor) -> Tensor:
    return call.make(Code.REVERSE_V2, [x, call.constant([0])], x.shape, schema.ReverseV2OptionsT())


def _repeat(call: Call, what: Repeated) -> list[Tensor]:
    """Return the states after the last round, and what the rounds put out."""
    body = what.body
    first = 1 if what.goes_on is not None else 0  # the outputs of a Loop's body begin with its condition
    put_out = body.outputs[first + len(what.states) :]
    given = captured(body)
    outer = [tensor_of(value, call.scope) for value in given]
    stacks = [_stack(call, what, value, place) for place, value in enumerate(put_out)]
    flag = what.goes_on if what.goes_on is not None else call.constant(True, "bool")
    states = [Tensor(each.index, each.name, each.dtype, each.shape, each.array) for each in what.states]
    carried = [call.constant(0), flag, what.rounds, *states, *stacks, *what.elements, *outer]
    shapes = _shapes(call, what, carried)
    options = schema.WhileOptionsT()
    options.condSubgraphIndex = _condition(call, carried, shapes)
    options.bodySubgraphIndex = _body(call, what, carried, shapes, given)
    results = [
        call.graph.tensor(f"{call.node.name}/{place}", each.dtype, shape)
        for place, (each, shape) in enumerate(zip(carried, shapes, strict=True))
    ]
    call.graph.add(Code.WHILE, carried, results, options)
    last, begin = len(what.states), 3 + len(what.states)
    found = [results[3 + place] for place in range(last)]
    for stack in results[begin : begin + len(put_out)]:
        found.append(stack if what.goes_on is None else _cut(call, stack, results[0]))
    return found


def _shapes(call: Call, what: Repeated, carried: list[Tensor]) -> list[Sequence[int | None]]:
    """Return the sizes of what is carried: those of a state stay known only where no round changes them."""
    shapes: list[Sequence[int | None]] = [tensor.shape for tensor in carried]
    first = 1 if what.goes_on is not None else 0
    for place, state in enumerate(what.states):
        after = what.body.outputs[first + place].shape
        if after is None or len(after) != len(state.shape):
            raise call.refusal("a carried value whose rank changes or is not known")
        pairs = zip(state.shape, after, strict=True)
        shapes[3 + place] = [size if size == later else None for size, later in pairs]
    return shapes


def _condition(call: Call, carried: list[Tensor], shapes: list[Sequence[int | None]]) -> int:
    graph, inputs = _sub_graph(call, "condition", carried, shapes)
    inside = graph.make(Code.LESS, [inputs[0], inputs[2]], [], dtype="bool")
    graph.outputs = [graph.make(Code.LOGICAL_AND, [inside, inputs[1]], [])]
    return graph.file.sub_graphs.index(graph)


def _body(
    call: Call, what: Repeated, carried: list[Tensor], shapes: list[Sequence[int | None]], given: list[ir.Value]
) -> int:
    graph, inputs = _sub_graph(call, "body", carried, shapes)
    step, flag, rounds, *rest = inputs
    scope = Scope(graph, call.scope.model)
    inner = Call(call.node, call.opset, scope)
    states, rest = rest[: len(what.states)], rest[len(what.states) :]
    stacks = rest[: len(rest) - len(what.elements) - len(given)]
    elements = rest[len(stacks) : len(stacks) + len(what.elements)]
    scope.values.update(zip(given, rest[len(stacks) + len(elements) :], strict=True))
    if what.goes_on is not None:
        now = [cast(inner, step, "int64"), flag, *states]
    else:
        now = [*states, *(_element(inner, each, step) for each in elements)]
    scope.values.update(zip(what.body.inputs, now, strict=True))
    emit_nodes(what.body, scope)
    found = [tensor_of(value, scope) for value in what.body.outputs]
    following = scalar(inner, found.pop(0)) if what.goes_on is not None else flag
    written = [_written(inner, *pair, step) for pair in zip(stacks, found[len(states) :], strict=True)]
    results = [
        add(inner, step, 1),
        following,
        rounds,
        *found[: len(states)],
        *written,
        *inputs[3 + len(states) + len(stacks) :],
    ]
    untouched = {rounds.index, *(each.index for each in inputs[3 + len(states) + len(stacks) :])}
    for result in results:
        graph.outputs.append(result if result.index in untouched else own_tensor(result, graph))
    return graph.file.sub_graphs.index(graph)


def _sub_graph(
    call: Call, name: str, carried: list[Tensor], shapes: list[Sequence[int | None]]
) -> tuple[SubGraph, list[Tensor]]:
    graph = call.graph.file.sub_graph(f"{call.node.name}/{name}")
    pairs = zip(carried, shapes, strict=True)
    return graph, [graph.input(f"carried_{place}", each.dtype, shape) for place, (each, shape) in enumerate(pairs)]


def _element(call: Call, x: Tensor, step: Tensor) -> Tensor:
    return call.make(Code.GATHER, [x, step], x.shape[1:], schema.GatherOptionsT())


def _stack(call: Call, what: Repeated, value: ir.Value, place: int) -> Tensor:
    """Return zeros for what all rounds put out: [rounds, ...]."""
    if value.shape is None or value.dtype is None:
        raise call.refusal(f"the rank of '{value.name}' is unknown")
    dims = [dim if isinstance(dim, int) else None for dim in value.shape]
    rounds = what.rounds
    count = int(rounds.array) if rounds.array is not None else None
    if what.elements:
        count = what.elements[0].shape[0]
    one = call.make(Code.EXPAND_DIMS, [rounds, call.constant(0)], [1], schema.ExpandDimsOptionsT())
    parts = [one if count is None else call.constant([count])]
    for dim in value.shape:
        parts.append(call.constant([dim]) if isinstance(dim, int) else _symbol(call, what, value, dim))
    sizes = concat(call, parts, 0, [len(parts)]) if len(parts) > 1 else parts[0]
    dtype = str(value.dtype.numpy())
    zero = call.graph.constant(np.zeros((), dtype), f"{call.node.name}/zero")
    return call.make(Code.FILL, [sizes, zero], [count, *dims], schema.FillOptionsT(), dtype)


def _symbol(call: Call, what: Repeated, value: ir.Value, dim: ir.SymbolicDim) -> Tensor:
    """Return a size that is called by the same name in something that is computed already, int32 [1]."""
    for known, tensor in call.scope.values.items():
        if known.shape is None or tensor.array is not None or len(known.shape) != len(tensor.shape):
            continue
        for axis, other in enumerate(known.shape):
            if not isinstance(other, int) and other.value is not None and other == dim:
                return strided_slice(call, shape_of(call, tensor), [axis], [axis + 1], [1], [1])
    raise call.refusal(f"the size '{dim.value}' of '{value.name}' is not known before the first round")


def _written(call: Call, stack: Tensor, element: Tensor, step: Tensor) -> Tensor:
    """Return the stack with an element in its place."""
    options = schema.ExpandDimsOptionsT()
    row = call.make(Code.EXPAND_DIMS, [element, call.constant(0)], [1, *element.shape], options)
    start = call.make(Code.EXPAND_DIMS, [step, call.constant(0)], [1], options)
    if element.shape:
        start = concat(call, [start, call.constant([0] * len(element.shape))], 0, [1 + len(element.shape)])
    return call.make(Code.DYNAMIC_UPDATE_SLICE, [stack, row, start], stack.shape)


def _cut(call: Call, stack: Tensor, rounds: Tensor) -> Tensor:
    """Return the rounds that took place."""
    rank = len(stack.shape)
    options = schema.StridedSliceOptionsT()
    options.beginMask = (1 << rank) - 1
    options.endMask = options.beginMask - 1
    end = call.make(Code.EXPAND_DIMS, [rounds, call.constant(0)], [1], schema.ExpandDimsOptionsT())
    end = concat(call, [end, call.constant([0] * (rank - 1))], 0, [rank]) if rank > 1 else end
    bounds = [call.constant([0] * rank), end, call.constant([1] * rank)]
    return call.make(Code.STRIDED_SLICE, [stack, *bounds], [None, *stack.shape[1:]], options)
