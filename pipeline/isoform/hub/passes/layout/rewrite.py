"""The graph with the chosen operators in their other order: Transposes around each, and none where two meet."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.layout.order import Perm, identity, inverse, keeps_order, moves, origin, permutation, then
from isoform.hub.passes.layout.rules import Moved, Operand, Stored, Widened


def rewrite(graph: ir.Graph, moved: Mapping[ir.Node, Moved]) -> None:
    """Put ``moved`` in the place of its operators, in place; then no Transpose follows another."""
    transposes = _Transposes(graph)
    for node in list(graph):
        if node in moved:
            _replace(graph, node, moved[node], transposes)
        elif permutation(node) is not None:
            transposes.merge(node)
    for node in reversed(list(graph)):
        if not any(list(value.uses()) or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)


class _Transposes:
    """The Transposes of a graph, one for each value and order."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._made: dict[tuple[ir.Value, Perm], ir.Value] = {}

    def stored(self, value: ir.Value, perm: Perm, reader: ir.Node) -> ir.Value:
        """Return what ``value`` is the Transpose of by ``perm``: its origin itself, or one more Transpose of that."""
        array = constant(value)
        if array is not None:
            return self._constant(value, array, perm)
        before, order = origin(value)
        together = then(order, inverse(perm))
        if not moves(together):
            return before
        key = (before, together)
        if key not in self._made:
            node = _transpose(before, together)
            self._graph.insert_before(reader, node)
            self._made[key] = node.outputs[0]
        return self._made[key]

    def _constant(self, value: ir.Value, array: npt.NDArray[Any], perm: Perm) -> ir.Value:
        if not moves(perm):
            return value
        if (value, perm) not in self._made:
            name = f"{value.name}/stored{''.join(map(str, perm))}"
            self._made[value, perm] = initializer(self._graph, name, np.transpose(array, inverse(perm)))
        return self._made[value, perm]

    def merge(self, node: ir.Node) -> None:
        """Let the Transpose ``node`` read its origin, or vanish, or give way to one that is there already."""
        result = node.outputs[0]
        before, order = origin(result)
        if not order or before is result:
            return
        if not moves(order):
            self._drop(node, before)
            return
        known = self._made.setdefault((before, order), result)
        if known is not result and not result.is_graph_output():
            ir.convenience.replace_all_uses_with(result, known)
        elif node.inputs[0] is not before:
            node.replace_input_with(0, before)
            node.attributes["perm"] = ir.AttrInt64s("perm", order)

    def _drop(self, node: ir.Node, before: ir.Value) -> None:
        """Put what ``node`` gives back in its place; the graph's caller gets that under its own name."""
        if node.outputs[0].is_graph_output():
            same = ir.node("Identity", [before])
            same.outputs[0].type, same.outputs[0].shape = before.type, before.shape
            ir.convenience.replace_nodes_and_values(self._graph, node, [node], [same], node.outputs, same.outputs)
        else:
            ir.convenience.replace_all_uses_with(node.outputs[0], before)


def _replace(graph: ir.Graph, node: ir.Node, moved: Moved, transposes: _Transposes) -> None:
    def read(operand: Operand, index: int) -> ir.Value | None:
        if isinstance(operand, np.ndarray):
            return initializer(graph, f"{node.outputs[0].name}/{index}", operand)
        value = node.inputs[index] if index < len(node.inputs) else None  # not the operand's: that may be replaced
        if operand is None or value is None:
            return None
        if isinstance(operand, Stored):
            return transposes.stored(value, operand.perm, node)
        return _widened(graph, node, value, operand) if isinstance(operand, Widened) else value

    inputs = [read(operand, index) for index, operand in enumerate(moved.inputs)]
    inner = ir.Node(
        "", node.op_type, inputs, list(moved.attributes.values()), num_outputs=len(node.outputs), name=node.name
    )
    results, after = list(inner.outputs), []
    for position, (mine, old) in enumerate(zip(inner.outputs, node.outputs, strict=True)):
        mine.type = old.type
        if old.shape is not None and len(old.shape) == len(moved.perm):
            mine.shape = ir.Shape([old.shape[axis] for axis in inverse(moved.perm)])
        if moves(moved.perm) and (list(old.uses()) or old.is_graph_output()):
            after.append(_transpose(mine, moved.perm))
            results[position] = after[-1].outputs[0]
    for old, new in zip(node.outputs, results, strict=True):
        new.type, new.shape = old.type, old.shape
        if not old.is_graph_output():
            new.name, old.name = old.name, f"{old.name}/before"
    ir.convenience.replace_nodes_and_values(graph, node, [node], [inner, *after], node.outputs, results)


def _widened(graph: ir.Graph, reader: ir.Node, value: ir.Value, operand: Widened) -> ir.Value:
    """Return ``value`` with more axes; DequantizeLinear stays last: runtimes look for it right before an operator."""
    producer, again = value.producer(), None
    sizes = list(operand.sizes)
    if producer is not None and producer.op_type == "DequantizeLinear" and _has_one_scale(producer):
        array = constant(producer.inputs[0])
        if array is not None:
            stored = initializer(graph, f"{producer.inputs[0].name}/stored", array.reshape(sizes))
            again = ir.node("DequantizeLinear", [stored, *producer.inputs[1:]])
    if again is None:
        target = initializer(graph, f"{value.name}/shape", np.array(sizes, np.int64))
        again = ir.node("Reshape", [value, target])
    again.outputs[0].type = value.type
    again.outputs[0].shape = ir.Shape([size if size > 0 else None for size in operand.sizes])
    graph.insert_before(reader, again)
    return again.outputs[0]


def _has_one_scale(node: ir.Node) -> bool:
    scale = node.inputs[1]
    return scale is not None and scale.shape is not None and len(scale.shape) == 0


def _transpose(value: ir.Value, perm: Perm) -> ir.Node:
    node = ir.node("Transpose", [value], {"perm": list(perm)})
    node.outputs[0].type = value.type
    if value.shape is not None:
        node.outputs[0].shape = ir.Shape([value.shape[axis] for axis in perm])
    return node


def reshape_moved_ones(model: ir.Model) -> None:
    """Make each Transpose that moves axes of size one alone a Reshape, in place."""
    for node in list(model.graph.all_nodes()):
        perm, value = permutation(node), node.inputs[0] if node.inputs else None
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        if perm is None or value is None or value.shape is None or not keeps_order(list(value.shape), perm):
            continue
        sizes = [value.shape[axis] for axis in perm]
        unknown = [axis for axis, size in enumerate(sizes) if not isinstance(size, int)]
        if len(unknown) > 1 or 0 in sizes or perm == identity(len(perm)):
            continue
        target = np.array([size if isinstance(size, int) else -1 for size in sizes], np.int64)
        name = f"{node.outputs[0].name}/shape"
        again = ir.node("Reshape", [value, initializer(graph, name, target)], name=node.name)
        again.outputs[0].type, again.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
        ir.convenience.replace_nodes_and_values(graph, node, [node], [again], node.outputs, again.outputs)
