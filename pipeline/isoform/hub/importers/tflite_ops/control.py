"""Loops, branches and calls: sub-graphs become the bodies of ONNX' operators, or stand where they are called."""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub.importers.tflite_file import SubGraph, Tensor
from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.frame import Frame
from isoform.hub.importers.tflite_ops.table import Reading
from isoform.hub.importers.tflite_ops.types import tensor_type


@op("CALL", reading=Reading.STORED)
def called(call: Call) -> list[ir.Value]:
    return _inlined(call, call.frame, call.operator.options.subgraph, _arguments(call, 0))


@op("STABLEHLO_COMPOSITE", reading=Reading.STORED)
def composite(call: Call) -> list[ir.Value]:
    """Return what the operators that the composite stands for compute."""
    return _inlined(call, call.frame, call.operator.options.decompositionSubgraphIndex, _arguments(call, 0))


@op("IF", reading=Reading.STORED)
def if_(call: Call) -> list[ir.Value]:
    """Inputs: the condition, what both branches take."""
    options, arguments = call.operator.options, _arguments(call, 1)
    branches = []
    for index in (options.thenSubgraphIndex, options.elseSubgraphIndex):
        inner = _block(call)
        results = _own(inner, _inlined(call, inner, index, arguments))
        branches.append(ir.Graph([], results, nodes=inner.nodes, name=call.frame.target.name("branch")))
    node = ir.node(
        "If", [_scalar(call, call[0], call.rank(0))], {"then_branch": branches[0], "else_branch": branches[1]},
        num_outputs=len(call.operator.outputs), name=call.frame.target.name(f"{call.frame.prefix}If"),
    )  # fmt: skip
    return _added(call, node)


@op("WHILE", reading=Reading.STORED)
def while_(call: Call) -> list[ir.Value]:
    """Return the variables after the last turn; those that the body passes on as they are stay outside the loop."""
    options, given = call.operator.options, _arguments(call, 0)
    condition, body = _sub_graph(call, options.condSubgraphIndex), _sub_graph(call, options.bodySubgraphIndex)
    carried = [place for place, (one, two) in enumerate(zip(body.inputs, body.outputs, strict=True)) if one != two]
    inner = _block(call)
    variables = {place: _variable(call, body, place) for place in carried}
    begins = [variables.get(place, value) for place, value in enumerate(given)]
    ends = _inlined(call, inner, body.index, begins)
    ends = [ends[place] if place in variables else value for place, value in enumerate(given)]
    goes_on = _condition(call, inner, condition, ends)
    results = _own(inner, [goes_on, *(ends[place] for place in carried)])
    counters = [_value(call, ir.DataType.INT64), _value(call, ir.DataType.BOOL)]
    loop = ir.Graph([*counters, *variables.values()], results, nodes=inner.nodes, name=call.frame.target.name("body"))
    first = _condition(call, call.frame, condition, given)
    node = ir.node(
        "Loop", [None, first, *(given[place] for place in carried)], {"body": loop}, num_outputs=len(carried),
        name=call.frame.target.name(f"{call.frame.prefix}Loop"),
    )  # fmt: skip
    after = dict(zip(carried, _added(call, node), strict=True))
    return [after.get(place, value) for place, value in enumerate(given)]


def _arguments(call: Call, start: int) -> list[ir.Value]:
    return [call[index] for index in range(start, call.count)]


def _inlined(call: Call, frame: Frame, index: int, arguments: Sequence[ir.Value]) -> list[ir.Value]:
    graph = _sub_graph(call, index)
    if len(graph.inputs) != len(arguments):
        raise call.refusal(f"{len(arguments)} values for the {len(graph.inputs)} inputs of '{graph.name}'")
    return call.frame.target.inline(frame, graph, arguments)


def _sub_graph(call: Call, index: int) -> SubGraph:
    graphs = call.frame.target.file.sub_graphs
    if not 0 <= index < len(graphs):
        raise call.refusal(f"sub-graph {index} of {len(graphs)}")
    return graphs[index]


def _condition(call: Call, frame: Frame, graph: SubGraph, arguments: Sequence[ir.Value]) -> ir.Value:
    [result] = _inlined(call, frame, graph.index, arguments)
    rank = len(graph.tensors[graph.outputs[0]].shape)
    return result if rank == 0 else frame.emit("Squeeze", [result], {})[0]


def _scalar(call: Call, value: ir.Value, rank: int) -> ir.Value:
    return call.emit("Squeeze", value) if rank else value


def _block(call: Call) -> Frame:
    return Frame(call.frame.target, call.frame.graph, [], call.frame.prefix, around=call.frame.around)


def _own(inner: Frame, values: Sequence[ir.Value]) -> list[ir.Value]:
    """Return values that the block itself computes, each once, as outputs have to be."""
    inside, results = set(inner.nodes), []
    for value in values:
        is_own = value.producer() in inside and value not in results
        results.append(value if is_own else inner.emit("Identity", [value], {})[0])
    return results


def _variable(call: Call, body: SubGraph, place: int) -> ir.Value:
    """Return an input of a loop's body; sizes are declared where the file gives the same before and after a turn."""
    before, after = (body.tensors[side[place]] for side in (body.inputs, body.outputs))
    return _value(call, tensor_type(before).dtype, _agreed([before, after, call.tensor(place)]))


def _agreed(tensors: Sequence[Tensor]) -> list[int | None] | None:
    shapes = [tensor.shape for tensor in tensors if tensor.has_rank]
    if len(shapes) < len(tensors) or len({len(shape) for shape in shapes}) > 1:
        return None
    return [sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True)]


def _value(call: Call, dtype: ir.DataType, shape: Sequence[int | None] | None = ()) -> ir.Value:
    dims = None if shape is None else ir.Shape(list(shape))
    return ir.Value(name=call.frame.target.name("variable"), type=ir.TensorType(dtype), shape=dims)


def _added(call: Call, node: ir.Node) -> list[ir.Value]:
    for index, value in enumerate(node.outputs):
        value.name = call.frame.target.name(f"{node.name}:{index}")
    call.frame.nodes.append(node)
    return list(node.outputs)
