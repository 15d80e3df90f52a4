"""Activations of eight bits without a sign: each integer and its zero point are 128 more, so the numbers are the same.

ONNX Runtime computes in integers on x86 only where activations are unsigned; of signed ones it turns some, and leaves
operators between the two kinds in float32. Weights stay signed, and so do the inputs and outputs of the graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_MOVING = {
    "Concat", "Expand", "Flatten", "Gather", "GatherND", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
}  # fmt: skip
_ELEMENTWISE = {"Add", "Div", "Max", "Min", "Mul", "Pow", "PRelu", "Sub", "Where"}
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_OFFSET = 128


@dataclass
class _Region:
    """Integers that are moved about between operators that make them of numbers and numbers of them."""

    values: dict[ir.Value, None] = field(default_factory=dict)
    edges: dict[ir.Node, None] = field(default_factory=dict)
    is_closed: bool = True


def unsigned_activations(model: ir.Model) -> None:
    """Turn signed activations of eight bits into unsigned ones, in place."""
    graph = model.graph
    seen: set[ir.Value] = set()
    open_edges: dict[ir.Node, None] = {}
    for node in list(graph):
        if not _is_signed(node) or _integers(node) in seen:
            continue
        if constant(_integers(node)) is not None:
            _turn_operand(graph, node)
            continue
        region = _region(graph, _integers(node))
        seen.update(region.values)
        if not region.is_closed:
            open_edges.update(region.edges)
            continue
        for edge in region.edges:
            edge.replace_input_with(2, _unsigned_zero(graph, edge.inputs[2]))
        for value in region.values:
            value.type = ir.TensorType(ir.DataType.UINT8)
    for edge in open_edges:
        _lead_over(graph, edge)


def _is_signed(node: ir.Node) -> bool:
    """Return whether ``node`` quantises or dequantises whole tensors of int8."""
    if node.op_type not in (_QUANTIZE, _DEQUANTIZE) or node.domain != "" or len(node.inputs) < 3:
        return False
    zero = constant(node.inputs[2])
    return zero is not None and zero.dtype == np.int8 and zero.ndim == 0


def _integers(node: ir.Node) -> ir.Value:
    value = node.outputs[0] if node.op_type == _QUANTIZE else node.inputs[0]
    assert value is not None, "both have their first input"
    return value


def _turn_operand(graph: ir.Graph, node: ir.Node) -> None:
    """Turn a constant that meets activations element by element; weights of products stay signed."""
    signed = constant(node.inputs[0])
    users = [use.node for use in node.outputs[0].uses()]
    if signed is not None and users and all(user.op_type in _ELEMENTWISE for user in users):
        value = initializer(graph, f"{node.outputs[0].name}/unsigned", (signed.view(np.uint8) ^ _OFFSET))
        node.replace_input_with(2, _unsigned_zero(graph, node.inputs[2]))
        node.replace_input_with(0, value)


def _region(graph: ir.Graph, start: ir.Value) -> _Region:
    region, waiting = _Region(), [start]
    while waiting:
        value = waiting.pop()
        if value in region.values:
            continue
        region.values[value] = None
        producer = value.producer()
        if value.is_graph_output() or producer is None:
            region.is_closed = False
        for node in ([producer] if producer is not None else []) + [use.node for use in value.uses()]:
            if _is_signed(node) and node.graph is graph:
                region.edges[node] = None
            elif node.op_type in _MOVING and node.domain == "" and node.graph is graph:
                waiting += _moved(node)
            else:
                region.is_closed = False
    return region


def _moved(node: ir.Node) -> Iterator[ir.Value]:
    """Yield what a moving operator takes and gives; other inputs are places and sizes."""
    data = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    yield from (value for value in (*data, *node.outputs) if value is not None)


def _unsigned_zero(graph: ir.Graph, zero: ir.Value | None) -> ir.Value:
    number = constant(zero)
    assert number is not None, "asked only where the zero point is constant"
    unsigned = np.array(int(number) + _OFFSET, np.uint8)
    name = f"zero_{int(unsigned)}"
    if name in graph.initializers:
        return graph.initializers[name]
    return initializer(graph, name, unsigned)


def _lead_over(graph: ir.Graph, edge: ir.Node) -> None:
    """Put an unsigned pair beside an operator that has to stay signed, on the side of the numbers."""
    scale, zero = edge.inputs[1], _unsigned_zero(graph, edge.inputs[2])
    numbers = edge.inputs[0] if edge.op_type == _QUANTIZE else edge.outputs[0]
    first = ir.Node("", _QUANTIZE, [numbers, scale, zero], num_outputs=1)
    second = ir.Node("", _DEQUANTIZE, [first.outputs[0], scale, zero], num_outputs=1)
    if edge.op_type == _QUANTIZE:
        edge.replace_input_with(0, second.outputs[0])
        graph.insert_before(edge, [first, second])
    else:
        uses = list(edge.outputs[0].uses())
        graph.insert_after(edge, [first, second])
        for use in uses:
            if use.node is not first:
                use.node.replace_input_with(use.idx, second.outputs[0])
