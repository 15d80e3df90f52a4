"""If: both branches as sub-graphs that are given what either reads; one in place where the condition is known."""

from collections.abc import Sequence

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Shape, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, Scope, op
from isoform.hub.emitters.tflite_ops.emission import captured, emit_nodes, own_tensor, tensor_of
from isoform.hub.emitters.tflite_ops.moving import to_shape


@op("Constant")
def constant_of(call: Call) -> Tensor:
    """Return the number, or the numbers, that the node holds."""
    [attribute] = call.node.attributes.values()
    if attribute.type == ir.AttributeType.TENSOR:
        return call.graph.constant(attribute.as_tensor().numpy(), str(call.node.outputs[0].name))
    kinds = {"value_int": "int64", "value_ints": "int64", "value_float": "float32", "value_floats": "float32"}
    if attribute.name not in kinds:
        raise call.refusal(f"the attribute '{attribute.name}'")
    return call.constant(attribute.value, kinds[attribute.name])


@op("If")
def branch(call: Call) -> Sequence[Tensor]:
    """Return what the branch returns that the condition chooses."""
    sides = [call.node.attributes[name].as_graph() for name in ("then_branch", "else_branch")]
    known = call.array(0)
    if known is not None:
        side = sides[0] if known.any() else sides[1]
        emit_nodes(side, call.scope)
        return [tensor_of(value, call.scope) for value in side.outputs]
    given = captured(*sides)
    outer = [tensor_of(value, call.scope) for value in given]
    results = [_branch(call, side, given, outer) for side in sides]
    outputs = [
        call.graph.tensor(str(value.name), one.dtype, _either(call, one, other))
        for value, one, other in zip(call.node.outputs, *(tensors for _, tensors in results), strict=True)
    ]
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = (index for index, _ in results)
    call.graph.add(Code.IF, [scalar(call, call[0]), *outer], outputs, options)
    return outputs


def scalar(call: Call, x: Tensor) -> Tensor:
    """Return x, which has one element, without axes."""
    return to_shape(call, x, [], []) if x.shape else x


def _branch(call: Call, side: ir.Graph, given: list[ir.Value], outer: list[Tensor]) -> tuple[int, list[Tensor]]:
    graph = call.graph.file.sub_graph(str(side.name or "branch"))
    scope = Scope(graph, call.scope.model)
    for value, tensor in zip(given, outer, strict=True):
        scope.values[value] = graph.input(str(value.name), tensor.dtype, tensor.shape)
    emit_nodes(side, scope)
    for value in side.outputs:
        graph.outputs.append(own_tensor(tensor_of(value, scope), graph))
    return graph.file.sub_graphs.index(graph), graph.outputs


def _either(call: Call, one: Tensor, other: Tensor) -> Shape:
    """Return the sizes that both have; a rank or type that depends on the branch has no tensor."""
    if len(one.shape) != len(other.shape) or one.dtype != other.dtype:
        raise call.refusal("branches whose results have another rank or type")
    return [size if size == other_size else None for size, other_size in zip(one.shape, other.shape, strict=True)]
