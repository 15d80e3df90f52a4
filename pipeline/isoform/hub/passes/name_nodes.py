"""Give nodes without a name one that says where they stand: messages and parameters are called after it."""

import onnx_ir as ir


def name_nodes(model: ir.Model) -> None:
    """Call each nameless node, in sub-graphs too, by its operator and what it gives: ``Conv_features``."""
    for node in model.graph.all_nodes():
        if not node.name:
            given = next((value.name for value in node.outputs if value.name), None)
            node.name = f"{node.op_type}_{given}" if given else node.op_type
