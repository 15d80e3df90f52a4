"""A float graph in the form that is quantised: constants folded, batch normalisation inside layers, matrices as Gemm.

What comes out computes the same function in standard operators, and says opset 13 or later: only from there on has
DequantizeLinear an axis. Not aware of integers.
"""

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub.passes.fold_batch_norm import fold_batch_norm
from isoform.hub.passes.fold_scale import fold_scale
from isoform.hub.passes.linear_layer import LinearLayer, layer_of
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.simplify import simplify

LEAST_OPSET = 13
_MATRIX = 2


def prepared(graph: hub_graph.Graph) -> ir.Model:
    """Return ``graph`` in that form, weights still where they were; every node has a name of its own.

    Raises:
        IsoformError: the graph cannot be read, or is of an opset before 13.
    """
    model = graph.clone() if isinstance(graph, ir.Model) else hub_graph.load(graph)
    opset = model.opset_imports.get("", 0)
    if opset < LEAST_OPSET:
        raise IsoformError(
            f"The graph is of opset {opset}, and integers for each channel need {LEAST_OPSET} or later.",
            f"Export the model with a later opset: {LEAST_OPSET} to 20.",
            kind="opset",
        )
    simplify(model)
    hub_graph.infer_shapes(model)
    fold_batch_norm(model)
    fold_scale(model)
    for node in list(model.graph):
        layer = layer_of(node) if node.op_type == "MatMul" and node.domain == "" else None
        if layer is not None and _is_matrix(node.inputs[0]):
            _as_gemm(model.graph, layer)
    common.RemoveUnusedNodesPass()(model)
    name_nodes(model)
    hub_graph.infer_shapes(model)
    return model


def _is_matrix(value: ir.Value | None) -> bool:
    return value is not None and value.shape is not None and len(value.shape) == _MATRIX


def _as_gemm(graph: ir.Graph, layer: LinearLayer) -> None:
    """Say a product of rows and the Add of a bias in one operator: both runtimes have one kernel for it."""
    node, last = layer.node, layer.last
    inputs = list(node.inputs)
    if last is not node:
        inputs.append(last.inputs[1] if last.inputs[0] is node.outputs[0] else last.inputs[0])
    gemm = ir.Node("", "Gemm", inputs, num_outputs=1, name=node.name)
    gemm.outputs[0].type, gemm.outputs[0].shape = last.outputs[0].type, last.outputs[0].shape
    old = [last] if last is node else [last, node]
    ir.convenience.replace_nodes_and_values(graph, last, old, [gemm], last.outputs, gemm.outputs)
