"""Read ``1 - erf(-c x)``, the complement in which TensorFlow writes GELU, as ``1 + erf(c x)``: erf is odd."""

import onnx_ir as ir

from isoform.hub.passes.moments import scalar
from isoform.hub.passes.producers import both_orders, producer


def restore_erf(model: ir.Model) -> None:
    """Rewrite the complement in place; it is exact."""
    for node in list(model.graph):
        erf = producer(node.inputs[1], "Erf") if node.op_type == "Sub" and scalar(node.inputs[0]) == 1.0 else None
        argument = _negated(erf.inputs[0]) if erf is not None else None
        if argument is not None:
            new = [*argument, ir.node("Erf", argument[-1].outputs)]
            new.append(ir.node("Add", [node.inputs[0], new[-1].outputs[0]]))
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], new, node.outputs, new[-1].outputs)


def _negated(value: ir.Value | None) -> list[ir.Node] | None:
    """Return the node of ``c x`` where ``value`` is ``(-x) c``."""
    for negative, factor in both_orders(producer(value, "Mul"), "Mul"):
        negation = producer(negative, "Neg")
        if negation is not None and scalar(factor) is not None:
            return [ir.node("Mul", [negation.inputs[0], factor])]
    return None
