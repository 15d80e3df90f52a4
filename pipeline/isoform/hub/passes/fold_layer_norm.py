"""Multiply the scale of a layer normalisation, and add its bias, into the matrix products that alone read it.

``(n g + t) W + b = n (g W) + (b + t W)``: two passes over the activations less, in every block of a transformer. In
float64 and rounded once, and once a layer, so that gate 1 can explain the result.
"""

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.layout.order import permutation
from isoform.hub.passes.linear_layer import LinearLayer, layer_of

_NORMALISATIONS = ("LayerNormalization", "RMSNormalization")


def fold_layer_norm(model: ir.Model) -> None:
    """Leave a scale of ones and no bias where all that reads a normalisation over the last axis is such products."""
    for node in list(model.graph):
        if node.op_type in _NORMALISATIONS and node.domain == "":
            _fold(model.graph, node)


def _fold(graph: ir.Graph, node: ir.Node) -> None:
    scale, bias = (constant(node.inputs[place]) if place < len(node.inputs) else None for place in (1, 2))
    has_computed_bias = len(node.inputs) > 2 and node.inputs[2] is not None and bias is None
    if scale is None or scale.ndim != 1 or scale.size < 2 or has_computed_bias:
        return
    layers = _readers(node.outputs[0], scale.size)
    if not layers or (np.all(scale == 1) and bias is None):
        return
    for layer in layers:
        factor, summand = (None if each is None else each.astype(np.float64) for each in (scale, bias))
        assert factor is not None
        total = _total_bias(layer, summand)
        layer.replace(layer.scaled(layer.by_input(factor)), total)
    name = f"{node.outputs[0].name}/ones"
    node.replace_input_with(1, initializer(graph, name, np.ones(scale.size, scale.dtype)))
    if bias is not None:
        node.resize_inputs(2)


def _total_bias(layer: LinearLayer, summand: Array | None) -> Array | None:
    if summand is None or not summand.any():
        return layer.bias
    return layer.output_bias + layer.of_constant(summand)


def _readers(value: ir.Value, channels: int) -> list[LinearLayer]:
    """Return the layers that read ``value``, moved in between or not; none if anything else does."""
    found: list[LinearLayer] = []
    if value.is_graph_output():
        return []
    for node, place in value.uses():
        layer = layer_of(node) if place == 0 else None
        if _keeps_channels(node, place, channels):
            layers = _readers(node.outputs[0], channels)
        else:
            layers = [layer] if layer is not None and _can_take(layer, channels) else []
        if not layers:
            return []
        found += layers
    return found


def _can_take(layer: LinearLayer, channels: int) -> bool:
    is_product = layer.node.op_type in ("Gemm", "MatMul") and layer.inputs == channels
    return is_product and not layer.is_folded and layer.kernel.dtype == np.float32


def _keeps_channels(node: ir.Node, place: int, channels: int) -> bool:
    """Return whether ``node`` moves whole rows of channels and nothing else."""
    if place or node.domain != "":
        return False
    if node.op_type == "Transpose":
        perm = permutation(node)
        return perm is not None and perm[-1] == len(perm) - 1
    shape = node.outputs[0].shape
    return node.op_type == "Reshape" and shape is not None and len(shape) > 0 and shape[-1] == channels
