"""Let channels-first regions grow: move Transposes down through what does not care, until they meet their inverse.

For graphs that come from a channels-last format, where each image operator stands between two Transposes. What a
Transpose moves through, and what becomes of that operator's axes, stands in `transpose_rules`.
"""

from collections.abc import Sequence

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.transpose_rules import RULES, Moved, permutation


def to_channels_first(model: ir.Model) -> None:
    """Move Transposes down and remove pairs of them, in place; shapes have to be inferred before."""
    graph = model.graph
    for node in list(graph):
        if node.op_type == "Transpose":
            _merge(graph, node)
        elif node.op_type == "Reshape":
            _skip_moved_ones(node)
        elif node.domain == "" and node.op_type in RULES:
            _sink(graph, node)
    for node in reversed(list(graph)):
        if not any(list(value.uses()) or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)


def _sink(graph: ir.Graph, node: ir.Node) -> None:
    """Turn ``f(Transpose(x), ...)`` into ``Transpose(f(x, ...))``."""
    perm = next((found for found in map(permutation, node.inputs) if found is not None), None)
    moved = RULES[node.op_type](graph, node, perm) if perm is not None else None
    if moved is None:
        return
    inner = ir.Node(
        "", node.op_type, moved.inputs, list(moved.attributes.values()), num_outputs=len(node.outputs), name=node.name
    )
    after = [_transposed(value, moved.perm) for value in inner.outputs] if _moves(moved.perm) else []
    for mine, old in zip(inner.outputs, node.outputs, strict=True):
        _describe(mine, old, moved)
    results = [each.outputs[0] for each in after] if after else list(inner.outputs)
    _replace(graph, node, [inner, *after], results)


def _replace(graph: ir.Graph, node: ir.Node, nodes: list[ir.Node], results: Sequence[ir.Value]) -> None:
    for old, new in zip(node.outputs, results, strict=True):
        new.type, new.shape = old.type, old.shape
        if not old.is_graph_output():
            new.name, old.name = old.name, f"{old.name}/moved"
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, results)


def _merge(graph: ir.Graph, node: ir.Node) -> None:
    """Join a Transpose with the one before it, which may leave nothing, or with a Reshape that it only adds to."""
    first, second = permutation(node.inputs[0]), permutation(node.outputs[0])
    if second is None or node.inputs[0] is None:
        return
    producer = node.inputs[0].producer()
    if first is not None and producer is not None:
        together = [first[axis] for axis in second]
        if _moves(together):
            merged = ir.node("Transpose", [producer.inputs[0]], {"perm": together})
            _replace(graph, node, [merged], merged.outputs)
        elif not node.outputs[0].is_graph_output():
            ir.convenience.replace_all_uses_with(node.outputs[0], producer.inputs[0])
    elif producer is not None and producer.op_type == "DequantizeLinear":
        _before_dequantizing(graph, node, producer)
    elif producer is not None and producer.op_type == "Reshape":
        target = constant(producer.inputs[1])
        if target is not None and 0 not in target and _keeps_order(target.tolist(), second):
            name = f"{node.outputs[0].name}/shape"
            shape = initializer(graph, name, target[second])
            reshaped = ir.node("Reshape", [producer.inputs[0], shape])
            _replace(graph, node, [reshaped], reshaped.outputs)


def _before_dequantizing(graph: ir.Graph, node: ir.Node, dequantize: ir.Node) -> None:
    """Move the integers instead of the numbers: runtimes look for DequantizeLinear right before an operator."""
    scale = dequantize.inputs[1]
    if scale is None or scale.shape is None or len(scale.shape):
        return
    moved = ir.node("Transpose", [dequantize.inputs[0]], {"perm": permutation(node.outputs[0])})
    again = ir.node("DequantizeLinear", [moved.outputs[0], *dequantize.inputs[1:]])
    _replace(graph, node, [moved, again], again.outputs)
    _merge(graph, moved)


def _skip_moved_ones(node: ir.Node) -> None:
    """Let a Reshape read what stands before a Transpose that moves axes of size one alone."""
    value, target = node.inputs[0], constant(node.inputs[1])
    perm, producer = permutation(value), value.producer() if value is not None else None
    if perm is None or producer is None or producer.inputs[0] is None or target is None or 0 in target:
        return
    shape = producer.inputs[0].shape
    if shape is not None and _keeps_order([1 if dim == 1 else -1 for dim in shape], perm):
        node.replace_input_with(0, producer.inputs[0])


def _keeps_order(sizes: Sequence[int], perm: Sequence[int]) -> bool:
    kept = [axis for axis in perm if sizes[axis] != 1]
    return kept == sorted(kept)


def _moves(perm: Sequence[int]) -> bool:
    return list(perm) != sorted(perm)


def _transposed(value: ir.Value, perm: Sequence[int]) -> ir.Node:
    return ir.node("Transpose", [value], {"perm": list(perm)})


def _describe(value: ir.Value, like: ir.Value, moved: Moved) -> None:
    """Give ``value`` the dtype of what it replaces, and its shape before the Transpose."""
    value.type = like.type
    if like.shape is not None and len(like.shape) == len(moved.perm):
        value.shape = ir.Shape([like.shape[moved.perm.index(axis)] for axis in range(len(moved.perm))])
