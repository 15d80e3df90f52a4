"""Nodes of the hub graph, one after the other, as operators of a sub-graph of the file; and bodies as sub-graphs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import opset_of
from isoform.hub.emitters.tflite_builder import DTYPES, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import OPERATORS, Call, Code, Scope
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized import DEQUANTIZE, noted


def emit_nodes(nodes: Iterable[ir.Node], scope: Scope) -> None:
    """Emit nodes in order, those that an earlier one took in left out."""
    for node in nodes:
        if _is_stored_weight(node) or _is_of_sizes(node):
            scope.deferred[node.outputs[0]] = partial(_emit, node, scope)
        elif node not in scope.done:
            _emit(node, scope)


def _is_stored_weight(node: ir.Node) -> bool:
    """Return whether a node makes numbers of constant integers that only nodes beside it read."""
    is_constant = node.op_type == DEQUANTIZE and constant(node.inputs[0]) is not None
    value = node.outputs[0]
    return is_constant and not value.is_graph_output() and all(use.node.graph is node.graph for use in value.uses())


def _is_of_sizes(node: ir.Node) -> bool:
    """Return whether a node asks for sizes or joins some: those that read it may want them as int32 instead."""
    value = node.outputs[0]
    is_joining = node.op_type == "Concat" and value.dtype == ir.DataType.INT64
    is_joining = is_joining and value.shape is not None and len(value.shape) == 1
    if node.domain != "" or not (node.op_type == "Shape" or is_joining) or value.is_graph_output():
        return False
    return all(use.node.graph is node.graph for use in value.uses())


def _emit(node: ir.Node, scope: Scope) -> None:
    opset = opset_of(scope.model, node)
    function = OPERATORS.lookup(node, opset)
    assert function is not None, "the pre-flight has seen every node"
    call = Call(node, opset, scope)
    results = function(call)
    tensors: Sequence[Tensor] = [results] if isinstance(results, Tensor) else results
    for value in call.last.outputs[len(tensors) :]:
        if list(value.uses()) or value.is_graph_output():
            raise call.refusal(f"the output '{value.name}'")
    for value, tensor in zip(call.last.outputs, tensors, strict=False):
        scope.values[value] = _with_quantization(tensor, value, scope.graph)


def _with_quantization(tensor: Tensor, value: ir.Value, graph: SubGraph) -> Tensor:
    """Return a computed tensor that says what its integers stand for, where that is noted of the value."""
    found = noted(value)
    if found is None or found is tensor.quantization or tensor.array is not None:
        return tensor
    if tensor in graph.inputs:
        return tensor
    graph.tensors[tensor.index] = replace(tensor, quantization=found)
    return graph.tensors[tensor.index]


def tensor_of(value: ir.Value, scope: Scope) -> Tensor:
    """Return what a value is in this sub-graph; a constant becomes a tensor of it when it is first read."""
    scope.emit_deferred(value)
    if value not in scope.values:
        array = constant(value)
        if array is None:
            raise IsoformError(f"'{value.name}' is read, and nothing computes it.", "Check the model.", kind="damaged")
        scope.values[value] = scope.graph.constant(array, value.name or "constant", noted(value))
    return scope.values[value]


def own_tensor(tensor: Tensor, graph: SubGraph) -> Tensor:
    """Return the tensor, or a copy where it is an input, a constant or an output already, which LiteRT mixes up."""
    taken = {each.index for each in (*graph.inputs, *graph.outputs)}  # an output bears another name than its tensor
    if tensor.index not in taken and tensor.array is None:
        return tensor
    options = schema.CastOptionsT()
    options.inDataType = options.outDataType = DTYPES[tensor.dtype]
    copy = graph.tensor(f"{tensor.name}/copy", tensor.dtype, tensor.shape, tensor.quantization)
    graph.add(Code.CAST, [tensor], [copy], options)
    return copy


def captured(*bodies: ir.Graph) -> list[ir.Value]:
    """Return the values from outside that bodies read, constants left out: each sub-graph holds its own."""
    found: dict[ir.Value, None] = {}
    for body in bodies:
        inner = set(_inner_values(body))
        found.update(dict.fromkeys(value for value in _read(body) if value not in inner and constant(value) is None))
    return list(found)


def _inner_values(body: ir.Graph) -> Iterator[ir.Value]:
    yield from (*body.inputs, *body.initializers.values())
    for node in body.all_nodes():
        yield from node.outputs
        for graph in sub_graphs(node):
            yield from (*graph.inputs, *graph.initializers.values())


def _read(body: ir.Graph) -> Iterator[ir.Value]:
    for node in body.all_nodes():
        yield from (value for value in node.inputs if value is not None)
        for graph in sub_graphs(node):
            yield from graph.outputs
    yield from body.outputs


def sub_graphs(node: ir.Node) -> list[ir.Graph]:
    """Return the bodies that a node holds."""
    attributes = node.attributes.values()
    return [attribute.as_graph() for attribute in attributes if attribute.type == ir.AttributeType.GRAPH]
