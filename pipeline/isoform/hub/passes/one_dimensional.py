"""Write one-dimensional convolution, pooling and normalisation as two-dimensional ones of width 1.

Between two such operators nothing is squeezed and widened again: what works element by element is widened too.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_RANK = 3
_WINDOWED = {"AveragePool", "Conv", "ConvTranspose", "MaxPool"}
_NORMALISING = {"BatchNormalization", "InstanceNormalization"}
_UNARY = {
    "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus", "Tanh",
}  # fmt: skip
_PER_AXIS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0, "output_shape": 1}


def widen_one_dimensional(model: ir.Model) -> None:
    """Rewrite the operators over [n, channel, length] of ``model`` in place; shapes have to be inferred before."""
    for graph in list(model.graphs()):
        squeezed: dict[ir.Value, ir.Value] = {}
        for node in list(graph):
            if _is_one_dimensional(node) and (node.op_type not in _UNARY or node.inputs[0] in squeezed):
                _widen(graph, node, squeezed)


def _is_one_dimensional(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in _WINDOWED | _NORMALISING | _UNARY or node.inputs[0] is None:
        return False
    shape = node.inputs[0].shape
    has_one_result = all(not list(value.uses()) and not value.is_graph_output() for value in node.outputs[1:])
    return shape is not None and len(shape) == _RANK and has_one_result


def _widen(graph: ir.Graph, node: ir.Node, squeezed: dict[ir.Value, ir.Value]) -> None:
    source, result = node.inputs[0], node.outputs[0]
    assert source is not None
    nodes: list[ir.Node] = []
    wide = squeezed.get(source)
    if wide is None:
        widening = _moving(graph, "Unsqueeze", source, _shape(source, wider=True))
        nodes, wide = [widening], widening.outputs[0]
    inputs: list[ir.Value | None] = [wide, *node.inputs[1:]]
    if node.op_type in ("Conv", "ConvTranspose"):
        inputs[1] = _wide_kernel(graph, node.inputs[1], nodes)
    attributes = [_wide_attribute(attribute) for attribute in node.attributes.values()]
    inner = ir.Node("", node.op_type, inputs, attributes, num_outputs=1, name=node.name)
    inner.outputs[0].type, inner.outputs[0].shape = result.type, _shape(result, wider=True)
    narrowing = _moving(graph, "Squeeze", inner.outputs[0], result.shape)
    squeezed[narrowing.outputs[0]] = inner.outputs[0]
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [*nodes, inner, narrowing], [result], narrowing.outputs[:1]
    )


def _shape(value: ir.Value, *, wider: bool) -> ir.Shape | None:
    return None if value.shape is None else ir.Shape([*value.shape, 1] if wider else list(value.shape))


def _moving(graph: ir.Graph, op_type: str, value: ir.Value, shape: ir.Shape | None) -> ir.Node:
    axes = initializer(graph, f"{value.name}/{op_type}_axes", np.array([_RANK], np.int64))
    node = ir.node(op_type, [value, axes])
    node.outputs[0].type, node.outputs[0].shape = value.type, shape
    return node


def _wide_kernel(graph: ir.Graph, kernel: ir.Value | None, nodes: list[ir.Node]) -> ir.Value:
    assert kernel is not None
    array = constant(kernel)
    if array is not None:
        return initializer(graph, f"{kernel.name}/wide", array[..., None])
    nodes.append(_moving(graph, "Unsqueeze", kernel, _shape(kernel, wider=True)))
    return nodes[-1].outputs[0]


def _wide_attribute(attribute: ir.Attr) -> ir.Attr:
    if attribute.name == "pads":
        before, after = attribute.as_ints()
        return ir.AttrInt64s("pads", [before, 0, after, 0])
    if attribute.name in _PER_AXIS:
        return ir.AttrInt64s(attribute.name, [*attribute.as_ints(), _PER_AXIS[attribute.name]])
    return attribute
