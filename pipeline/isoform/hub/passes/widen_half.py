"""Compute in float32 what a graph computes in float16, for runtimes whose kernels lack float16.

Inputs are widened, outputs rounded, and where the graph casts to float16 numbers are rounded and widened again; what
lies between is only more exact. Weights are widened when they are read.
"""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

_HALF, _FLOAT = ir.DataType.FLOAT16, ir.DataType.FLOAT
_TYPED = {"EyeLike": "dtype", "SequenceEmpty": "dtype"}


def widen_half(model: ir.Model) -> bool:
    """Rewrite ``model`` in place, its types inferred before, and tell whether it held float16 at all."""
    graph = model.graph
    halves = [value for value in _values(graph) if value.dtype == _HALF]
    if not halves:
        return False
    results = [value for value in graph.outputs if value.dtype == _HALF and not value.is_graph_input()]
    rounded = {node.outputs[0] for node in graph.all_nodes() if _casts(node)}
    for value in halves:
        if value.const_value is not None:
            value.const_value = _wide(value.const_value)
        if value not in rounded and value not in graph.inputs:
            value.dtype = _FLOAT
    for node in list(graph.all_nodes()):
        _widen_attributes(node)
    for value in [*rounded, *(value for value in graph.inputs if value.dtype == _HALF)]:
        _widen_readers(graph, value)
    for value in dict.fromkeys(results):
        if value not in rounded:
            _round_output(graph, value)
    return True


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    """Yield every value of a graph and of those inside it."""
    yield from (*graph.inputs, *graph.initializers.values())
    for node in graph:
        yield from node.outputs
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield from _values(attribute.as_graph())


def _casts(node: ir.Node) -> bool:
    return node.op_type == "Cast" and node.domain == "" and node.attributes["to"].as_int() == _HALF


def _wide(tensor: ir.TensorProtocol) -> ir.LazyTensor:
    def evaluate() -> ir.Tensor:
        return ir.Tensor(tensor.numpy().astype(np.float32), name=tensor.name)

    return ir.LazyTensor(evaluate, dtype=_FLOAT, shape=tensor.shape, cache=True, name=tensor.name)


def _widen_attributes(node: ir.Node) -> None:
    """Give the constants that a node holds, and the types that it asks for, the wider type."""
    for name, attribute in list(node.attributes.items()):
        if attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype == _HALF:
            array = attribute.as_tensor().numpy().astype(np.float32)
            node.attributes[name] = ir.AttrTensor(name, ir.Tensor(array))
    name = _TYPED.get(node.op_type, "")
    if node.domain == "" and name in node.attributes and node.attributes[name].as_int() == _HALF:
        node.attributes[name] = ir.AttrInt64(name, int(_FLOAT))


def _widen_readers(graph: ir.Graph, value: ir.Value) -> None:
    """Let what reads a float16 value read it widened; as an output of the graph it stays as it is."""
    uses = list(value.uses())
    if not uses:
        return
    widening = ir.node("Cast", [value], {"to": int(_FLOAT)})
    result = widening.outputs[0]
    result.name, result.dtype, result.shape = f"{value.name}/wide", _FLOAT, value.shape
    producer = value.producer()
    if producer is None:
        first = next(iter(graph), None)
        assert first is not None, "something reads the value"
        graph.insert_before(first, widening)
    else:
        owner = producer.graph
        assert owner is not None
        owner.insert_after(producer, widening)
    for use in uses:
        use.node.replace_input_with(use.idx, result)


def _round_output(graph: ir.Graph, value: ir.Value) -> None:
    """Let an output of the graph be what the wider value is rounded to."""
    rounding = ir.node("Cast", [value], {"to": int(_HALF)})
    result = rounding.outputs[0]
    result.name, value.name = value.name, f"{value.name}/wide"
    result.dtype, result.shape = _HALF, value.shape
    graph.append(rounding)
    for place, output in enumerate(graph.outputs):
        if output is value:
            graph.outputs[place] = result
