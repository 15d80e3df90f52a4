"""Remove Transposes that undo each other, moved together through elementwise operators of one input."""

import onnx_ir as ir

from isoform.hub.passes.producers import producer

_UNARY = {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "HardSwish", "Softplus", "Cast"}


def cancel_transposes(model: ir.Model) -> None:
    """Move Transposes down through elementwise operators of one input, and remove pairs that undo each other."""
    for node in list(model.graph):
        if node.op_type in _UNARY:
            _sink(model.graph, node)
        elif node.op_type == "Transpose":
            _cancel(node)


def _sink(graph: ir.Graph, node: ir.Node) -> None:
    """Turn ``f(Transpose(x))`` into ``Transpose(f(x))`` where nobody else reads the transposed x."""
    transpose = producer(node.inputs[0], "Transpose")
    if transpose is None or len(list(transpose.outputs[0].uses())) != 1 or transpose.outputs[0].is_graph_output():
        return
    moved = ir.node(node.op_type, [transpose.inputs[0]], node.attributes)
    after = ir.node("Transpose", [moved.outputs[0]], {"perm": list(transpose.attributes["perm"].as_ints())})
    moved.outputs[0].type = node.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [moved, after], node.outputs, after.outputs)
    graph.remove(transpose, safe=True)


def _cancel(node: ir.Node) -> None:
    before = producer(node.inputs[0], "Transpose")
    if before is None or node.outputs[0].is_graph_output():
        return
    first, second = (list(each.attributes["perm"].as_ints()) for each in (before, node))
    if [first[axis] for axis in second] == sorted(first):
        ir.convenience.replace_all_uses_with(node.outputs[0], before.inputs[0])
