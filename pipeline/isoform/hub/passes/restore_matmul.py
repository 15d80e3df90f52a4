"""Give back the product over the last axis that exporters write as one of rows: reshaped before, reshaped back after.

``Reshape(Reshape(x) @ W)`` is ``x @ W`` where the result has the axes of x but for the last. TensorFlow computes the
sizes of both from the shape; PyTorch's ``addmm`` stands between two views. And ``Reshape(x @ W) + b`` with a bias for
each head is ``Reshape(x @ W + b)``, the form that kernels of a layer take.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.arrange_weight import arranged
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.linear_layer import is_private
from isoform.hub.passes.producers import both_orders, producer


def restore_matmul(model: ir.Model) -> None:
    """Rewrite both forms in place; shapes have to be inferred before."""
    for node in list(model.graph):
        if node.op_type == "Reshape" and node.domain == "":
            _skip_rows(model.graph, node)
    for node in list(model.graph):
        if node.op_type == "Add" and node.domain == "":
            _add_before_heads(model.graph, node)


def _skip_rows(graph: ir.Graph, node: ir.Node) -> None:
    """Let the product before ``node`` read what is reshaped for it."""
    product = node.inputs[0].producer() if is_private(node.inputs[0]) and node.inputs[0] is not None else None
    if product is None or product.op_type not in ("Gemm", "MatMul") or product.domain != "":
        return
    rows = producer(product.inputs[0], "Reshape")
    kernel = _kernel(product)
    x, result = None if rows is None else rows.inputs[0], node.outputs[0]
    if x is None or kernel is None or not _keeps_axes(x.shape, result.shape, *kernel.shape):
        return
    weight = product.inputs[1]
    if product.op_type == "Gemm" and weight is not None and constant(weight) is not kernel:
        weight = arranged(graph, weight, kernel)
    new = [ir.Node("", "MatMul", [x, weight], num_outputs=1, name=product.name)]
    bias = product.inputs[2] if len(product.inputs) > 2 else None
    if bias is not None:
        new[0].outputs[0].type, new[0].outputs[0].shape = result.type, result.shape
        new.append(ir.node("Add", [new[0].outputs[0], bias]))
    ir.convenience.replace_nodes_and_values(graph, node, [node, product], new, [result], new[-1].outputs)


def _kernel(node: ir.Node) -> np.ndarray | None:
    """Return the constant matrix [inputs, outputs] that all rows are multiplied by; None where there is more to it."""
    array = constant(node.inputs[1])
    if array is None or array.ndim != 2 or node.op_type == "MatMul":
        return array if array is not None and array.ndim == 2 else None
    attributes = node.attributes
    numbers = {attributes[name].as_float() for name in ("alpha", "beta") if name in attributes}
    if numbers - {1.0} or ("transA" in attributes and attributes["transA"].as_int()):
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and (bias.shape is None or len(bias.shape) != 1):
        return None
    return array.T if "transB" in attributes and attributes["transB"].as_int() else array


def _keeps_axes(before: ir.Shape | None, after: ir.Shape | None, inputs: int, outputs: int) -> bool:
    """Tell whether shapes differ in the last size alone; one other may be unknown, as the number of rows is kept."""
    if before is None or after is None or len(before) != len(after) or (before[-1], after[-1]) != (inputs, outputs):
        return False
    pairs = list(zip(list(before)[:-1], list(after)[:-1], strict=True))
    differing = [pair for pair in pairs if pair[0] != pair[1] or _is_open(pair[0])]
    if len(differing) > 1 or any(0 in pair for pair in pairs):
        return False
    return not all(isinstance(size, int) for pair in differing for size in pair) or not differing


def _is_open(size: int | ir.SymbolicDim) -> bool:
    return not isinstance(size, int) and size.value is None


def _add_before_heads(graph: ir.Graph, node: ir.Node) -> None:
    """Add a bias of heads as one row, before the last axis is split into heads."""
    for value, bias in both_orders(node, "Add"):
        split, heads = producer(value, "Reshape"), constant(bias)
        product = producer(split.inputs[0], "MatMul") if split is not None else None
        if product is None or split is None or heads is None or not (is_private(value) and is_private(split.inputs[0])):
            continue
        kernel = constant(product.inputs[1])
        shape = None if value is None or value.shape is None else list(value.shape)
        if kernel is None or kernel.ndim != 2 or heads.ndim < 2 or shape is None or split.graph is not graph:
            continue
        if heads.size != kernel.shape[1] or shape[-heads.ndim :] != list(heads.shape) or len(shape) <= heads.ndim:
            continue
        assert bias is not None
        rows = split.inputs[0]
        added = ir.node("Add", [rows, arranged(graph, bias, heads.reshape(-1))])
        added.outputs[0].type, added.outputs[0].shape = (None, None) if rows is None else (rows.type, rows.shape)
        moved = ir.Node("", "Reshape", [added.outputs[0], split.inputs[1]], split.attributes.values(), num_outputs=1)
        ir.convenience.replace_nodes_and_values(graph, node, [node, split], [added, moved], node.outputs, moved.outputs)
        return
