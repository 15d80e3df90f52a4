"""Read a SplitToSequence, the parts of which are taken out by known positions, as the Split that it is.

Exporters write ``torch.split`` and ``torch.chunk`` so; most targets have no sequences, and none needs one for this.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_SPLIT_HAS_INPUT = 13
"""From this opset on Split takes the sizes of its parts as an input."""


def restore_split(model: ir.Model) -> None:
    """Rewrite such sequences in place; shapes have to be inferred before."""
    if model.opset_imports.get("", 1) < _SPLIT_HAS_INPUT:
        return
    for node in list(model.graph):
        if node.op_type == "SplitToSequence" and node.domain == "":
            sizes, takers = _sizes(node), _takers(node)
            if sizes is not None and takers and all(-len(sizes) <= place < len(sizes) for _, place in takers):
                _rewrite(model.graph, node, sizes, takers)


def _sizes(node: ir.Node) -> list[int] | None:
    """Return the sizes of the parts; None where they are computed, or the parts lose their axis."""
    data = node.inputs[0]
    axis = node.attributes.get_int("axis", 0)
    if data is None:
        return None
    size = data.shape[axis] if data.shape is not None else None
    if len(node.inputs) < 2 or node.inputs[1] is None:  # every slice is a part
        is_kept = node.attributes.get_int("keepdims", 1) == 1
        return [1] * size if is_kept and isinstance(size, int) else None
    wanted = constant(node.inputs[1])
    if wanted is None:
        return None
    if wanted.ndim:
        return [int(part) for part in wanted]
    if not isinstance(size, int):
        return None
    step = int(wanted)
    return [min(step, size - start) for start in range(0, size, step)]


def _takers(node: ir.Node) -> list[tuple[ir.Node, int]] | None:
    """Return every SequenceAt that reads the sequence, with its position; None where something else reads it."""
    sequence = node.outputs[0]
    if sequence.is_graph_output():
        return None
    takers = []
    for user, _ in sequence.uses():
        place = constant(user.inputs[1]) if user.op_type == "SequenceAt" and user.domain == "" else None
        if place is None or place.size != 1:
            return None
        takers.append((user, int(place.reshape(()))))
    return takers


def _rewrite(graph: ir.Graph, node: ir.Node, sizes: Sequence[int], takers: Sequence[tuple[ir.Node, int]]) -> None:
    name = node.outputs[0].name
    parts = initializer(graph, f"{name}/sizes", np.array(sizes, np.int64))
    axis = node.attributes.get_int("axis", 0)
    split = ir.node("Split", [node.inputs[0], parts], {"axis": axis}, num_outputs=len(sizes))
    data = node.inputs[0]
    for place, (value, size) in enumerate(zip(split.outputs, sizes, strict=True)):
        value.name = f"{name}/{place}"
        if data is not None:
            value.type = data.type
            if data.shape is not None:
                dims: list[int | ir.SymbolicDim] = list(data.shape)
                dims[axis] = size
                value.shape = ir.Shape(dims)
    graph.insert_before(node, split)
    for taker, place in takers:
        part = split.outputs[place]
        for index, value in enumerate(graph.outputs):
            if value is taker.outputs[0]:
                part.name, graph.outputs[index] = value.name, part
        ir.convenience.replace_all_uses_with(taker.outputs[0], part)
    owner = [taker for taker, _ in takers]
    for taker in owner:
        assert taker.graph is not None
        taker.graph.remove(taker, safe=True)
    graph.remove(node, safe=True)
