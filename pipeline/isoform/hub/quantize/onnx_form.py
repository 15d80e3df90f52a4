"""A graph of weights stored as integers in the operators that ONNX Runtime multiplies them with.

LSTM becomes its DynamicQuantizeLSTM. A matrix that numbers are multiplied by becomes DynamicQuantizeLinear and an
integer product, scaled back: what comes in is rounded to its own range each time. GRU and RNN have no such operator,
and ConvInteger takes 1.7 times as long as Conv on numbers: their weights are numbers again before they are used. Not
aware of which layers those are.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.quantized.parameters import dequantizer, described
from isoform.hub.quantization import Quantization

MICROSOFT = "com.microsoft"
_LAYERS = ("Gemm", "MatMul")


def for_onnx_runtime(model: ir.Model) -> None:
    """Rewrite ``model`` in place; what reads integers on all sides stays as it is."""
    for node in list(model.graph):
        if node.domain != "":
            continue
        if node.op_type == "LSTM":
            _lstm(model, node)
        elif node.op_type in _LAYERS and dequantizer(node.inputs[0]) is None:
            _layer(model.graph, node)
    common.RemoveUnusedNodesPass()(model)


def _weight(node: ir.Node, place: int) -> tuple[Array, Quantization] | None:
    """Return the integers of a constant input and what they stand for."""
    maker = dequantizer(node.inputs[place])
    found, array = described(maker), constant(maker.inputs[0]) if maker is not None else None
    return None if found is None or array is None else (array, found)


def _lstm(model: ir.Model, node: ir.Node) -> None:
    weights = [_weight(node, place) for place in (1, 2)]
    if weights[0] is None or weights[1] is None:
        return
    inputs = [*node.inputs, *[None] * (8 - len(node.inputs))]
    for place, (array, found) in enumerate((weights[0], weights[1]), 1):
        name = str(node.inputs[place].producer().inputs[0].name)
        directions, rows = array.shape[:2]
        scale = np.ascontiguousarray(np.broadcast_to(found.scale, (directions, rows)))
        inputs[place] = initializer(model.graph, f"{name}/turned", array.transpose(0, 2, 1))
        inputs.append(initializer(model.graph, f"{name}/scale", scale))
        inputs.append(initializer(model.graph, f"{name}/zero", np.zeros(scale.shape, np.int8)))
    attributes = [each for name, each in node.attributes.items() if name != "layout"]
    new = ir.Node(
        MICROSOFT, "DynamicQuantizeLSTM", inputs, attributes, num_outputs=len(node.outputs), name=node.name
    )  # fmt: skip
    model.opset_imports[MICROSOFT] = 1
    _replace(model.graph, node, [new])


def _layer(graph: ir.Graph, node: ir.Node) -> None:
    """Put x W + b = (xq - zero) Wq * (scale of x * scales of W) + b in the place of a layer."""
    weight, maker = _weight(node, 1), dequantizer(node.inputs[1])
    if weight is None or maker is None:
        return
    array, found = weight
    stored = maker.inputs[0]
    name = str(stored.name if stored is not None else node.name)
    if "transB" in node.attributes and node.attributes["transB"].as_int():
        stored = initializer(graph, f"{name}/turned", array.T)
    rounded = ir.node("DynamicQuantizeLinear", [node.inputs[0]], num_outputs=3)
    integers, scale, zero = rounded.outputs
    product = ir.Node("", "MatMulInteger", [integers, stored, zero], num_outputs=1, name=node.name)
    wide = ir.node("Cast", [product.outputs[0]], {"to": int(ir.DataType.FLOAT)})
    scales = ir.node("Mul", [scale, initializer(graph, f"{name}/steps", found.scale)])
    nodes = [rounded, product, wide, scales, ir.node("Mul", [wide.outputs[0], scales.outputs[0]])]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        nodes.append(ir.node("Add", [nodes[-1].outputs[0], node.inputs[2]]))
    _replace(graph, node, nodes)


def _replace(graph: ir.Graph, node: ir.Node, nodes: list[ir.Node]) -> None:
    for old, new in zip(node.outputs, nodes[-1].outputs, strict=True):
        new.type, new.shape = old.type, old.shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, nodes[-1].outputs)
