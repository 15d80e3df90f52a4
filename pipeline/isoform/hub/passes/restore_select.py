"""Read a Slice of one element whose axis is squeezed away as a Gather at one place, which copies nothing."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.passes.fold_weights import constant, initializer

_LAST = -1


def restore_select(model: ir.Model) -> None:
    """Replace the pair in place, and what only it read goes."""
    for node in list(model.graph):
        cut = node.inputs[0].producer() if node.op_type == "Squeeze" and node.inputs[0] is not None else None
        place = _place(node, cut) if cut is not None and cut.op_type == "Slice" else None
        if cut is not None and place is not None:
            axis, index = place
            at = initializer(model.graph, f"{node.outputs[0].name}/place", np.array(index, np.int64))
            new = ir.node("Gather", [cut.inputs[0], at], {"axis": axis})
            new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], [new], node.outputs, new.outputs)
    common.RemoveUnusedNodesPass()(model)


def _place(squeeze: ir.Node, cut: ir.Node) -> tuple[int, int] | None:
    """Return (axis, index) where one element of one axis is taken; None for any other slice."""
    if len(squeeze.inputs) != 2 or len(cut.inputs) < 4:
        return None
    numbers = [constant(value) for value in (squeeze.inputs[1], *cut.inputs[1:])]
    if any(array is None or array.size != 1 for array in numbers):
        return None
    squeezed, start, end, axis, *step = (int(array.item()) for array in numbers if array is not None)
    is_one = (end == start + 1 and start != _LAST) or (start == _LAST and end > 2**31)
    return (axis, start) if squeezed == axis and is_one and step in ([], [1]) else None
