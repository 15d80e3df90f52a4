"""Leave out a test that is always true: that a place counted from the start is not negative.

Attention masks of transformers are joined with such a test, at every pair of a query and a key.
"""

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.never_negative import is_never_negative
from isoform.hub.passes.producers import both_orders

_MOVING = {"Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def drop_true_tests(model: ir.Model) -> None:
    """Expand what is joined with such a test to the shape that the two have together, in place."""
    for node in list(model.graph):
        if node.op_type == "And" and node.domain == "" and not node.outputs[0].is_graph_output():
            for test, other in both_orders(node, "And"):
                if test is not None and other is not None and _is_true(test):
                    _expand(model.graph, node, other, test)
                    break


def _is_true(value: ir.Value) -> bool:
    node = value.producer()
    while node is not None and node.op_type in _MOVING and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None or node.domain != "" or node.op_type not in ("GreaterOrEqual", "LessOrEqual"):
        return False
    larger, smaller = node.inputs if node.op_type == "GreaterOrEqual" else node.inputs[::-1]
    bound = constant(smaller)
    return bound is not None and bool((bound <= 0).all()) and is_never_negative(larger)


def _expand(graph: ir.Graph, node: ir.Node, value: ir.Value, like: ir.Value) -> None:
    result = node.outputs[0]
    sizes = ir.node("Shape", [like])
    expand = ir.node("Expand", [value, sizes.outputs[0]])
    sizes.outputs[0].name, expand.outputs[0].name = f"{result.name}/sizes", f"{result.name}/expanded"
    sizes.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    if like.shape is not None:
        sizes.outputs[0].shape = ir.Shape([len(like.shape)])
    expand.outputs[0].type, expand.outputs[0].shape = result.type, result.shape
    graph.insert_before(node, [sizes, expand])
    ir.convenience.replace_all_uses_with(result, expand.outputs[0])
    graph.remove(node, safe=True)
