"""Read ``x @ weight + bias`` with a matrix of weights as one Linear layer, for targets that have a kernel for it.

The operator stands in a domain of ours: inputs x [..., in], weight [in, out] and, where there is one, bias [out].
"""

import onnx_ir as ir

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.passes.fold_weights import constant

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def fuse_linear(model: ir.Model) -> None:
    """Replace each product with a constant matrix, and the bias that is all that reads it, in place."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "MatMul" and node.domain == "" and _is_matrix(node.inputs[1]):
            _fuse(model, node)


def _is_matrix(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and array.ndim == 2 and ir.DataType.from_numpy(array.dtype) in _FLOATS


def _fuse(model: ir.Model, node: ir.Node) -> None:
    graph, weight = node.graph, node.inputs[1]
    assert isinstance(graph, ir.Graph)
    inputs, last, replaced = [node.inputs[0], weight], node, [node]
    added = _bias(node)
    if added is not None:
        last, bias = added
        inputs.append(bias)
        replaced.append(last)
    new = ir.Node(FUSED_DOMAIN, "Linear", inputs, num_outputs=1, name=node.name)
    new.outputs[0].type, new.outputs[0].shape = last.outputs[0].type, last.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, last, replaced[::-1], [new], last.outputs, new.outputs)
    model.opset_imports[FUSED_DOMAIN] = 1


def _bias(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """Return the Add that is all that reads the product, and the vector that it adds; None where there is none."""
    product, array = node.outputs[0], constant(node.inputs[1])
    users = list(product.uses())
    if len(users) != 1 or product.is_graph_output() or users[0].node.op_type != "Add" or array is None:
        return None
    add = users[0].node
    bias = add.inputs[1] if add.inputs[0] is product else add.inputs[0]
    vector = constant(bias)
    if bias is None or vector is None or vector.shape != array.shape[1:] or add.graph is not node.graph:
        return None
    return add, bias
