"""Multiply batch normalisation into the convolution before it.

``W' = W s`` and ``b' = t + (b - m) s`` with s = g / sqrt(v + e).

In float64 and rounded once, so that gate 1 can explain the result. For targets that run it faster; the others keep
the layer, and with it every parameter bit for bit.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_DEFAULT_EPSILON = 1e-5


def fold_batch_norm(model: ir.Model) -> None:
    """Remove every inference BatchNormalization that directly follows a convolution with constant weights, in place."""
    for node in list(model.graph):
        convolution = node.inputs[0].producer() if node.op_type == "BatchNormalization" and node.inputs[0] else None
        if convolution is None or convolution.op_type != "Conv" or convolution.domain != node.domain:
            continue
        parameters = [constant(value) for value in node.inputs[1:5]]
        kernel = constant(convolution.inputs[1])
        if kernel is None or any(value is None for value in parameters):
            continue
        if len(list(convolution.outputs[0].uses())) == 1 and not convolution.outputs[0].is_graph_output():
            _fold(model.graph, convolution, node, kernel, [np.asarray(value, np.float64) for value in parameters])


def _fold(
    graph: ir.Graph, convolution: ir.Node, node: ir.Node, kernel: np.ndarray, parameters: list[np.ndarray]
) -> None:
    gamma, beta, mean, variance = parameters
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else _DEFAULT_EPSILON
    scale = gamma / np.sqrt(variance + epsilon)
    has_bias = len(convolution.inputs) > 2 and convolution.inputs[2] is not None
    bias = constant(convolution.inputs[2]) if has_bias else np.zeros(len(scale))
    if bias is None:
        return
    shift = beta + (bias.astype(np.float64) - mean) * scale
    weight = kernel.astype(np.float64) * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    name = convolution.inputs[1].name if convolution.inputs[1] is not None else convolution.name
    folded = [
        initializer(graph, f"{name}/folded", weight.astype(kernel.dtype)),
        initializer(graph, f"{name}/folded_bias", shift.astype(kernel.dtype)),
    ]
    inner = ir.Node(
        convolution.domain,
        "Conv",
        [convolution.inputs[0], *folded],
        list(convolution.attributes.values()),
        num_outputs=1,
        name=convolution.name,
    )
    inner.outputs[0].type, inner.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [inner], node.outputs[:1], inner.outputs)
    graph.remove(convolution, safe=True)
