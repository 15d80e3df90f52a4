"""Read ``x * sigmoid(x)`` as the operator Swish, for targets that have a kernel for it."""

import onnx_ir as ir
from onnx_ir.passes import common

SWISH_OPSET = 24


def restore_swish(model: ir.Model) -> None:
    """Replace the idiom in place, and what only it read goes; new nodes carry the opset that has the operator."""
    for node in list(model.graph.all_nodes()):
        if node.op_type != "Mul" or node.domain != "" or not isinstance(node.graph, ir.Graph):
            continue
        for x, other in (node.inputs, node.inputs[::-1]):
            gate = other.producer() if other is not None else None
            if x is not None and gate is not None and gate.op_type == "Sigmoid" and gate.inputs[0] is x:
                new = ir.Node("", "Swish", [x], num_outputs=1, name=node.name, version=SWISH_OPSET)
                new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
                ir.convenience.replace_nodes_and_values(node.graph, node, [node], [new], node.outputs, new.outputs)
                break
    common.RemoveUnusedNodesPass()(model)
