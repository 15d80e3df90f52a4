"""Multiply batch normalisation, and what exporters leave of it as factors and summands, into the layer beside it.

After a layer, ``W' = W s`` and ``b' = b s + t`` with s = g / sqrt(v + e) and t = beta - m s; before it, ``W' = W s`` by
input channels and ``b' = b + W t``. In float64 and rounded once, and once a layer, so that gate 1 can explain the
result. For targets that run it faster; the others keep the layer, and with it every parameter bit for bit.
"""

import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.affine import Affine, affine_after, affine_before
from isoform.hub.passes.linear_layer import LinearLayer, is_private, layer_of

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def fold_batch_norm(model: ir.Model) -> None:
    """Fold what scales and shifts channels beside a Conv, ConvTranspose, Gemm or MatMul with constant weights."""
    for node in list(model.graph):
        layer = layer_of(node) if node.graph is model.graph else None
        if layer is not None and not layer.is_folded and not _fold_after(model.graph, layer):
            _fold_before(model.graph, layer)


def _fold_after(graph: ir.Graph, layer: LinearLayer) -> bool:
    """Fold what follows ``layer``, reshaped in between or not; return whether there was any."""
    end = layer.last.outputs[0]
    for value in _through_reshapes(end, layer):
        place = _channel_axis(layer, value)
        found = affine_after(value, *place, layer.outputs) if place else None
        if found is None:
            continue
        if not _is_explained(layer, found) or (value is not end and found.result.is_graph_output()):
            return False
        result = layer.replace(*_weights_after(layer, found))
        _take_out(graph, found, result if value is end else value)
        return True
    return False


def _weights_after(layer: LinearLayer, found: Affine) -> tuple[Array, Array | None]:
    kernel, bias = layer.kernel, layer.bias
    if found.scale is not None:
        kernel = layer.scaled(layer.by_output(found.scale))
        bias = None if bias is None else bias * found.scale
    if found.shift is not None:
        bias = found.shift if bias is None else bias + found.shift
    return kernel, bias


def _take_out(graph: ir.Graph, found: Affine, before: ir.Value) -> None:
    """Let ``before`` stand for what ``found`` gave."""
    last = found.result
    before.name, before.type, before.shape = last.name, last.type, last.shape
    ir.convenience.replace_all_uses_with(last, before, replace_graph_outputs=True)
    last.name = f"{last.name}/unfolded"
    graph.remove(list(found.nodes)[::-1], safe=True)


def _is_explained(layer: LinearLayer, found: Affine) -> bool:
    """Return whether gate 1 finds the parameters again: a second summand would leave a sum of two biases."""
    return found.scale is not None or (layer.bias is None and layer.node.op_type != "MatMul")


def _through_reshapes(value: ir.Value, layer: LinearLayer) -> list[ir.Value]:
    """Return ``value`` and what only reshapes make of it, the last axis kept."""
    found = [value]
    while layer.node.op_type not in _CONVOLUTIONS and is_private(found[-1]):
        ((node, place),) = found[-1].uses()
        shape = node.outputs[0].shape
        if node.op_type != "Reshape" or place or node.graph is not layer.node.graph:
            break
        if shape is None or not len(shape) or shape[-1] != layer.outputs:
            break
        found.append(node.outputs[0])
    return found


def _channel_axis(layer: LinearLayer, value: ir.Value) -> tuple[int, int] | None:
    """Return the axis of the channels in ``value`` and its rank."""
    if layer.node.op_type in _CONVOLUTIONS:
        rank = layer.kernel.ndim
        return (rank - 1 if layer.node.domain == CHANNELS_LAST_DOMAIN else 1), rank
    return None if value.shape is None else (len(value.shape) - 1, len(value.shape))


def _fold_before(graph: ir.Graph, layer: LinearLayer) -> None:
    """Fold what precedes ``layer`` and only it reads, where no padding of the image sees the difference."""
    x = layer.node.inputs[0]
    place = None if x is None else _channel_axis(layer, x)
    if x is None or place is None or not is_private(x):
        return
    found = affine_before(x, *place, layer.inputs)
    if found is None or found.scale is None:
        return
    bias = layer.bias
    if found.shift is not None and found.shift.any():
        if not _is_local(layer):
            return
        bias = layer.output_bias + layer.of_constant(found.shift)
    layer.node.replace_input_with(0, found.x)
    layer.replace(layer.scaled(layer.by_input(found.scale)), bias)
    graph.remove(list(found.nodes)[::-1], safe=True)


def _is_local(layer: LinearLayer) -> bool:
    """Return whether every element of the result sums over the whole kernel: nothing is padded, nothing left out."""
    if layer.node.op_type not in _CONVOLUTIONS:
        return True
    attributes = layer.node.attributes
    mode = attributes["auto_pad"].as_string() if "auto_pad" in attributes else "NOTSET"
    pads = list(attributes["pads"].as_ints()) if "pads" in attributes else []
    return layer.node.op_type == "Conv" and mode in ("NOTSET", "VALID") and not any(pads)
