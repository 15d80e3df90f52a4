"""Read ``softmax(scale * q @ k + mask) @ v`` as one operator, for targets that have a kernel for it.

The operator stands in a domain of ours: inputs q, k, v [batch, head, step, size] and, where there is one, a constant
mask; attributes are the scale, and whether k comes as [batch, head, size, step]. A computed mask stays outside: where
it hides everything, softmax gives no numbers and kernels of attention give zeros.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.emitters.registry import FUSED_DOMAIN, opset_of
from isoform.hub.passes.fold_weights import constant

_RANK = 4
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)
_SOFTMAX_OF_ONE_AXIS = 13


def fuse_attention(model: ir.Model) -> None:
    """Replace the idiom in place, and what only it read goes; shapes have to be inferred before."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "MatMul" and node.domain == "" and isinstance(node.graph, ir.Graph):
            _fuse(model, node.graph, node)
    common.RemoveUnusedNodesPass()(model)


def _fuse(model: ir.Model, graph: ir.Graph, node: ir.Node) -> None:
    softmax, v = _only_read(node.inputs[0], "Softmax"), node.inputs[1]
    if softmax is None or opset_of(model, softmax) < _SOFTMAX_OF_ONE_AXIS or not _is_last(softmax):
        return
    scores, mask = softmax.inputs[0], None
    added = _only_read(scores, "Add")
    if added is not None:
        masks = [value for value in added.inputs if _is_mask(value)]
        if not masks:
            return
        mask = masks[0]
        scores = added.inputs[0] if added.inputs[1] is mask else added.inputs[1]
    product, factor = _unscaled(scores)
    product_node = _only_read(product, "MatMul")
    if product_node is None:
        return
    (q, by_q), (k, by_k) = map(_unscaled, product_node.inputs)
    if any(value is None or value.shape is None or len(value.shape) != _RANK for value in (q, k, v)):
        return
    if q is None or q.dtype not in _FLOATS:
        return
    keys = _untransposed(k)
    attributes = [
        ir.AttrFloat32("scale", factor * by_q * by_k),
        ir.AttrInt64("is_transposed", int(keys is None)),
    ]
    inputs = [q, k if keys is None else keys, v, mask]
    new = ir.Node(FUSED_DOMAIN, "Attention", inputs, attributes, num_outputs=1, name=node.name)
    new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
    model.opset_imports[FUSED_DOMAIN] = 1


def _only_read(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Return the node of this type that makes a value which is read once; None for any other."""
    node = value.producer() if value is not None else None
    if node is None or value is None or node.op_type != op_type or node.domain != "":
        return None
    return node if len(list(value.uses())) == 1 and not value.is_graph_output() else None


def _is_last(softmax: ir.Node) -> bool:
    axis = softmax.attributes["axis"].as_int() if "axis" in softmax.attributes else -1
    return axis in (-1, _RANK - 1)


def _is_mask(value: ir.Value | None) -> bool:
    """Tell whether a value is constant and leaves something to see in every row."""
    array = constant(value)
    return array is not None and array.ndim >= 1 and bool(np.isfinite(array).any(-1).all())


def _unscaled(value: ir.Value | None) -> tuple[ir.Value | None, float]:
    """Return what is multiplied or divided by a number, and the factor; the value itself and 1 where nothing is."""
    for op_type in ("Mul", "Div"):
        node = _only_read(value, op_type)
        if node is None:
            continue
        for x, other in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0]))[: 1 + (op_type == "Mul")]:
            array = constant(other)
            if array is not None and array.size == 1 and array.ndim <= 1 and float(array.reshape(-1)[0]) != 0:
                number = float(array.reshape(-1)[0])
                inner, factor = _unscaled(x)
                return inner, factor * (number if op_type == "Mul" else 1 / number)
    return value, 1.0


def _untransposed(value: ir.Value | None) -> ir.Value | None:
    """Return what a value is the transpose of in its last two axes; None where that is not to be seen."""
    node = value.producer() if value is not None else None
    if node is None:
        return None
    if node.op_type == "Transpose":
        perm = list(node.attributes["perm"].as_ints()) if "perm" in node.attributes else []
        return node.inputs[0] if perm == [0, 1, 3, 2] else None
    turned = node.inputs[0].producer() if node.op_type == "Reshape" and node.inputs[0] is not None else None
    if turned is None or turned.op_type != "Transpose" or list(turned.attributes["perm"].as_ints()) != [0, 2, 1]:
        return None
    flat = turned.inputs[0].producer() if turned.inputs[0] is not None else None
    keys = flat.inputs[0] if flat is not None and flat.op_type == "Reshape" else None
    if keys is None or keys.shape is None or len(keys.shape) != _RANK or turned.inputs[0].shape is None:
        return None
    sizes = list(keys.shape)[2:]
    is_known = all(isinstance(size, int) for size in sizes) and list(turned.inputs[0].shape)[1:] == sizes
    return keys if is_known and _is_shape_turned(node.inputs[1], keys, sizes) else None


def _is_shape_turned(target: ir.Value | None, keys: ir.Value, sizes: list[int | ir.SymbolicDim]) -> bool:
    """Tell whether a target is computed from the first two sizes of ``keys``, with the last two the other way round."""
    joined = target.producer() if target is not None else None
    if joined is None or joined.op_type != "Concat" or len(joined.inputs) < 2:
        return False
    rest = [constant(value) for value in joined.inputs[1:]]
    if any(array is None for array in rest):
        return False
    cut = joined.inputs[0].producer() if joined.inputs[0] is not None else None
    asked = (
        cut.inputs[0].producer() if cut is not None and cut.op_type == "Slice" and cut.inputs[0] is not None else None
    )
    if cut is None or asked is None or asked.op_type != "Shape" or asked.inputs[0] is not keys:
        return False
    start, end = (constant(value) for value in cut.inputs[1:3])
    is_first_two = (
        start is not None and end is not None and int(start.item()) in (0, -(2**63)) and int(end.item()) == -2
    )
    return is_first_two and [int(n) for array in rest if array is not None for n in array.ravel()] == sizes[::-1]
