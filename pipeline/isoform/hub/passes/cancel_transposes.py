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


def permutation(node: ir.Node) -> list[int] | None:
    """Return the order that a Transpose gives to the axes: reversed unless it says another; None if that is unknown."""
    if "perm" in node.attributes:
        return list(node.attributes["perm"].as_ints())
    data = node.inputs[0]
    return None if data is None or data.shape is None else list(range(len(data.shape)))[::-1]


def _sink(graph: ir.Graph, node: ir.Node) -> None:
    """Turn ``f(Transpose(x))`` into ``Transpose(f(x))`` where nobody else reads the transposed x."""
    transpose = producer(node.inputs[0], "Transpose")
    perm = None if transpose is None else permutation(transpose)
    if (
        transpose is None
        or perm is None
        or len(list(transpose.outputs[0].uses())) != 1
        or transpose.outputs[0].is_graph_output()
    ):
        return
    moved = ir.node(node.op_type, [transpose.inputs[0]], node.attributes)
    after = ir.node("Transpose", [moved.outputs[0]], {"perm": perm})
    moved.outputs[0].type = node.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [moved, after], node.outputs, after.outputs)
    graph.remove(transpose, safe=True)


def _cancel(node: ir.Node) -> None:
    before = producer(node.inputs[0], "Transpose")
    if before is None or node.outputs[0].is_graph_output():
        return
    first, second = permutation(before), permutation(node)
    if first is not None and second is not None and [first[axis] for axis in second] == sorted(first):
        ir.convenience.replace_all_uses_with(node.outputs[0], before.inputs[0])
