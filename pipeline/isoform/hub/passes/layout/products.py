"""Matrix products that read their right side as it is stored: ``isoform.fused::MatMul`` with ``transB``.

For targets whose product exchanges the last two axes of that side by itself.
"""

import onnx_ir as ir

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.passes.layout.order import Perm, moves, origin, swapped, upright
from isoform.hub.passes.layout.rules import is_right_factor


def take_in_exchanges(model: ir.Model) -> None:
    """Let each product exchange the axes of its right side, in place, where that leaves an easier Transpose or none."""
    made: dict[tuple[ir.Value, Perm], ir.Value] = {}
    for node in list(model.graph):
        if not is_right_factor(node, 1) or node.inputs[1] is None:
            continue
        before, order = origin(node.inputs[1])
        if not order or upright(order) == order:
            continue
        right = _stored(model.graph, node, before, swapped(order), made)
        inner = ir.node("MatMul", [node.inputs[0], right], {"transB": 1}, domain=FUSED_DOMAIN, name=node.name)
        inner.outputs[0].type, inner.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
        ir.convenience.replace_nodes_and_values(model.graph, node, [node], [inner], node.outputs, inner.outputs)
    model.opset_imports.setdefault(FUSED_DOMAIN, 1)


def _stored(
    graph: ir.Graph, reader: ir.Node, before: ir.Value, order: Perm, made: dict[tuple[ir.Value, Perm], ir.Value]
) -> ir.Value:
    if not moves(order):
        return before
    if (before, order) not in made:
        node = ir.node("Transpose", [before], {"perm": list(order)})
        node.outputs[0].type = before.type
        if before.shape is not None:
            node.outputs[0].shape = ir.Shape([before.shape[axis] for axis in order])
        graph.insert_before(reader, node)
        made[before, order] = node.outputs[0]
    return made[before, order]
