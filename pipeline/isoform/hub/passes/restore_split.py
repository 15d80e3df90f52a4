"""Turn a sequence of parts that are taken out by number into Split, or into Slice where their number is not known.

PyTorch's exporter writes a split that way, and types the sequence as a tensor, which no runtime accepts.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_PARTS = "SplitToSequence"
_PART = "SequenceAt"


def restore_split(model: ir.Model) -> None:
    """Replace every SplitToSequence of which only numbered parts are used, in place."""
    for node in list(model.graph):
        if node.op_type != _PARTS or ("keepdims" in node.attributes and not node.attributes["keepdims"].as_int()):
            continue
        takers = [use.node for use in node.outputs[0].uses()]
        numbers = [_number(taker) for taker in takers]
        split = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.outputs[0].is_graph_output() or split is None or any(number is None for number in numbers):
            continue
        known = [(taker, number) for taker, number in zip(takers, numbers, strict=True) if number is not None]
        parts = _sizes(split, _size(node))
        if parts is None and any(number < 0 for _, number in known):
            continue
        if parts is None or all(-len(parts) <= number < len(parts) for _, number in known):
            _replace(model.graph, node, split, parts, known)


def _number(taker: ir.Node) -> int | None:
    if taker.op_type != _PART or taker.inputs[1] is None:
        return None
    position = constant(taker.inputs[1])
    return None if position is None else int(position.reshape(()))


def _size(node: ir.Node) -> int | ir.SymbolicDim | None:
    data = node.inputs[0]
    return None if data is None or data.shape is None else data.shape[node.attributes.get_int("axis", 0)]


def _replace(
    graph: ir.Graph,
    node: ir.Node,
    split: np.ndarray,
    parts: Sequence[int] | None,
    takers: Sequence[tuple[ir.Node, int]],
) -> None:
    axis = node.attributes.get_int("axis", 0)
    data = node.inputs[0]
    assert data is not None
    name = str(node.outputs[0].name)
    if parts is not None:
        sizes = initializer(graph, f"{name}/sizes", np.array(parts, np.int64))
        whole = ir.node("Split", [data, sizes], {"axis": axis}, num_outputs=len(parts), name=node.name)
        graph.insert_before(node, whole)
        found = {number: whole.outputs[number] for _, number in takers}
        for number, value in enumerate(whole.outputs):
            value.name = f"{name}/{number}"
    else:
        found = {number: _slice(graph, node, data, axis, number, int(split)) for _, number in takers}
    for taker, number in takers:
        old, new = taker.outputs[0], found[number]
        new.type, new.shape = data.type, new.shape or old.shape
        if old.is_graph_output():  # the name of an output belongs to the graph
            new.name, old.name = old.name, f"{old.name}/taken"
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        graph.remove(taker, safe=True)
    graph.remove(node, safe=True)


def _sizes(split: np.ndarray, size: int | ir.SymbolicDim | None) -> list[int] | None:
    """Return the size of each part; None where one size stands for all and their number is not known."""
    if split.ndim:
        return [int(part) for part in split]
    if not isinstance(size, int):
        return None
    part = int(split)
    return [min(part, size - start) for start in range(0, size, part)]


def _slice(graph: ir.Graph, node: ir.Node, data: ir.Value, axis: int, number: int, size: int) -> ir.Value:
    name = f"{node.outputs[0].name}/{number}"
    bounds = [
        initializer(graph, f"{name}/{word}", np.array([value], np.int64))
        for word, value in (("start", number * size), ("end", (number + 1) * size), ("axis", axis))
    ]
    part = ir.node("Slice", [data, *bounds], name=name)
    graph.insert_before(node, part)
    part.outputs[0].name = name
    return part.outputs[0]
