"""Multiply a scale of attention, one number for all, into the layers that give queries and keys, or take two as one.

PyTorch's exporter scales queries and keys each by the root of the scale of their products. In float64 and rounded once,
so that gate 1 can explain the result.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.linear_layer import LinearLayer, is_private, layer_of

_MOVING = {"Reshape", "Squeeze", "Transpose", "Unsqueeze"}


_MOST = 2.0**16
"""How far from one a factor may be: beyond, products could leave the numbers that float32 holds in full."""


def fold_scale(model: ir.Model) -> None:
    """Fold such factors of what only moves the result of a layer; of two beside a product that are left, leave one."""
    for node in list(model.graph):
        factor = _factor(node)
        layer = None if factor is None else _layer(node.inputs[0])
        if factor is not None and layer is not None:
            bias = None if layer.bias is None else layer.bias * factor
            layer.replace(layer.scaled(np.array(factor)), bias)
            _drop(node)
    for node in list(model.graph):
        if node.op_type == "MatMul" and node.domain in ("", FUSED_DOMAIN):
            _merge(model.graph, node)


def _factor(node: ir.Node | None) -> float | None:
    """Return the number that ``node`` multiplies its first input by; None where it does something else."""
    if node is None or node.op_type not in ("Div", "Mul") or node.domain != "" or node.outputs[0].is_graph_output():
        return None
    x, array = node.inputs[0], constant(node.inputs[1])
    is_within = x is not None and x.shape is not None and array is not None and array.ndim <= len(x.shape)
    if array is None or not is_within or array.size != 1 or array.dtype != np.float32:
        return None
    number = float(array.reshape(-1)[0])
    if not 1 / _MOST < abs(number) < _MOST:
        return None
    return number if node.op_type == "Mul" else 1 / number


def _layer(value: ir.Value | None) -> LinearLayer | None:
    """Return the layer whose result, moved in between or not, is ``value`` and nothing else."""
    node = _private(value)
    while node is not None and node.op_type in _MOVING and node.domain == "":
        node = _private(node.inputs[0])
    if node is not None and node.op_type == "Add":
        products = [_private(each) for each in node.inputs]
        node = next((each for each in products if each is not None and each.op_type == "MatMul"), None)
        layer = None if node is None else layer_of(node)
        return layer if layer is not None and layer.last is not node and _fits(layer) else None
    layer = None if node is None else layer_of(node)
    return layer if layer is not None and layer.last is node and _fits(layer) else None


def _fits(layer: LinearLayer) -> bool:
    return layer.kernel.dtype == np.float32 and isinstance(layer.node.graph, ir.Graph)


def _private(value: ir.Value | None) -> ir.Node | None:
    return value.producer() if value is not None and is_private(value) else None


def _drop(node: ir.Node) -> None:
    assert node.graph is not None
    ir.convenience.replace_all_uses_with(node.outputs[0], node.inputs[0])
    node.graph.remove(node, safe=True)


def _merge(graph: ir.Graph, product: ir.Node) -> None:
    """Let the left side of ``product`` be scaled by the factors of both."""
    left, right = (None if value is None else value.producer() for value in product.inputs)
    factors = _factor(left), _factor(right)
    if left is None or right is None or left is right or factors[0] is None or factors[1] is None:
        return
    if not (is_private(left.outputs[0]) and is_private(right.outputs[0])):
        return
    scale = initializer(graph, f"{product.outputs[0].name}/scale", np.array(factors[0] * factors[1], np.float32))
    if left.op_type == "Div":
        left.op_type = "Mul"
    left.replace_input_with(1, scale)
    _drop(right)
