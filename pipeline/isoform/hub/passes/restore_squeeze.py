"""Read a Reshape that only adds or drops axes of size one as Squeeze or Unsqueeze.

Two dynamic sizes count as equal only if they are the same named dimension.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.layout.order import permutation


def restore_squeeze(model: ir.Model) -> None:
    """Rewrite such Reshapes, and a Squeeze after a Transpose that moves only what is squeezed, in place."""
    for node in list(model.graph):
        if node.op_type == "Reshape":
            _rewrite(model.graph, node)
    for node in list(model.graph):
        if node.op_type == "Squeeze":
            _skip_transpose(model.graph, node)


def _rewrite(graph: ir.Graph, node: ir.Node) -> None:
    source, result = node.inputs[0], node.outputs[0]
    if source is None or source.shape is None or result.shape is None or result.is_graph_output():
        return
    before, after = list(map(_size, source.shape)), list(map(_size, result.shape))
    kind, axes = "Squeeze", _dropped(before, after)
    if axes is None:
        kind, axes = "Unsqueeze", _dropped(after, before)
    if not axes:
        return
    new = ir.node(kind, [source, initializer(graph, f"{result.name}/axes", np.array(axes, np.int64))])
    _put(graph, node, new)


def _dropped(longer: list[int | str | None], shorter: list[int | str | None]) -> list[int] | None:
    """Return the axes of size one without which ``longer`` is ``shorter``; None if there are none such."""
    if None in longer or None in shorter or len(longer) <= len(shorter):
        return None
    axes, position = [], 0
    for axis, size in enumerate(longer):
        if position < len(shorter) and shorter[position] == size:
            position += 1
        elif size == 1:
            axes.append(axis)
        else:
            return None
    return axes if position == len(shorter) else None


def _skip_transpose(graph: ir.Graph, node: ir.Node) -> None:
    before = node.inputs[0].producer() if node.inputs[0] is not None else None
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if before is None or before.op_type != "Transpose" or axes is None or node.outputs[0].is_graph_output():
        return
    perm = permutation(before)
    if perm is None:
        return
    gone = [perm[int(axis)] for axis in axes]
    if [axis for axis in perm if axis not in gone] != [axis for axis in sorted(perm) if axis not in gone]:
        return
    moved = initializer(graph, f"{node.outputs[0].name}/moved_axes", np.array(sorted(gone), np.int64))
    _put(graph, node, ir.node("Squeeze", [before.inputs[0], moved]))


def _put(graph: ir.Graph, node: ir.Node, new: ir.Node) -> None:
    new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)


def _size(dim: int | ir.SymbolicDim) -> int | str | None:
    return dim if isinstance(dim, int) else dim.value
