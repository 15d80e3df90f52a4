"""Choose channels last: image operators become those of the domain ``isoform.nhwc``, with the fewest transposes left.

Each image operator is first wrapped in two transposes; then transposes move down through operators that do not care
about the order of axes, and those that meet their inverse vanish. In ``isoform.nhwc`` an operator has ONNX' own name
and attributes; its data is [n, height, width, channel], while convolution weights stay as ONNX has them.
"""

from collections.abc import Collection, Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.fold_weights import constant, initializer

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_RANK = 4
_IMAGE = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool",
    "InstanceNormalization", "LRN", "MaxPool",
}  # fmt: skip
_UNARY = {
    "Abs", "Cast", "Ceil", "Clip", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus",
    "Softsign", "Sqrt", "Tanh", "ThresholdedRelu", "Dropout",
}  # fmt: skip
_BROADCASTING = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu", "Where", "Equal", "Greater", "Less"}


def to_channels_last(model: ir.Model, also: Collection[str] = ()) -> None:
    """Rewrite the image operators of ``model`` in place; shapes have to be inferred before.

    Args:
        also: further operators that the target carries channels last; only their data changes its layout.
    """
    for node in list(model.graph):
        if _is_image_operator(node, _IMAGE.union(also)):
            _wrap(model.graph, node)
    model.opset_imports[CHANNELS_LAST_DOMAIN] = 1
    for node in list(model.graph):
        _sink(model.graph, node)
    for node in list(model.graph):
        if node.op_type == "Transpose":
            _merge(model.graph, node)
    _remove_dead(model.graph)


def _is_image_operator(node: ir.Node, names: Collection[str]) -> bool:
    if node.domain != "" or node.op_type not in names or node.inputs[0] is None:
        return False
    shape = node.inputs[0].shape
    has_one_result = all(not list(value.uses()) and not value.is_graph_output() for value in node.outputs[1:])
    return shape is not None and len(shape) == _RANK and has_one_result


def _wrap(graph: ir.Graph, node: ir.Node) -> None:
    inwards = _transpose(node.inputs[0], TO_LAST)
    inner = ir.Node(
        CHANNELS_LAST_DOMAIN,
        node.op_type,
        [inwards.outputs[0], *node.inputs[1:]],
        list(node.attributes.values()),
        num_outputs=1,
        name=node.name,
    )
    _describe(inner.outputs[0], node.outputs[0], TO_LAST)
    outwards = _transpose(inner.outputs[0], TO_FIRST)
    _replace(graph, node, [inwards, inner, outwards])


def _sink(graph: ir.Graph, node: ir.Node) -> None:
    """Turn ``f(Transpose(x), ...)`` into ``Transpose(f(x, ...))`` where f works element by element, or joins."""
    if node.domain != "" or len([value for value in node.outputs if list(value.uses())]) > 1:
        return
    perm = next((found for found in map(_perm, node.inputs) if found is not None), None)
    if perm is None or node.outputs[0].shape is None or len(node.outputs[0].shape) != len(perm):
        return
    attributes = dict(node.attributes)
    if node.op_type in _UNARY:
        inputs: list[ir.Value | None] | None = [_before(node.inputs[0]), *node.inputs[1:]]
    elif node.op_type in _BROADCASTING:
        inputs = _all_before(graph, node.inputs, perm)
    elif node.op_type == "Concat" and all(_perm(value) == perm for value in node.inputs):
        inputs = [_before(value) for value in node.inputs]
        axis = node.attributes["axis"].as_int() % len(perm)
        attributes["axis"] = ir.AttrInt64("axis", perm[axis])
    else:
        return
    if inputs is None:
        return
    inner = ir.Node("", node.op_type, inputs, list(attributes.values()), num_outputs=1, name=node.name)
    _describe(inner.outputs[0], node.outputs[0], _inverse(perm))
    _replace(graph, node, [inner, _transpose(inner.outputs[0], perm)])


def _all_before(graph: ir.Graph, inputs: Sequence[ir.Value | None], perm: list[int]) -> list[ir.Value | None] | None:
    """Return the inputs as they are before the transpose, constants transposed; None where one is neither."""
    moved: list[ir.Value | None] = []
    for value in inputs:
        known = constant(value)
        if value is None or _perm(value) == perm:
            moved.append(_before(value))
        elif known is not None and known.size == 1:
            moved.append(value)
        elif known is not None and known.ndim <= len(perm):
            array = known.reshape([1] * (len(perm) - known.ndim) + list(known.shape))
            moved.append(initializer(graph, f"{value.name}/nhwc", np.transpose(array, _inverse(perm))))
        else:
            return None
    return moved


def _merge(graph: ir.Graph, node: ir.Node) -> None:
    """Join a transpose with the one before it; together they may be nothing."""
    first, second = _perm(node.inputs[0]), _perm(node.outputs[0])
    if first is None or second is None:
        return
    source = _before(node.inputs[0])
    assert source is not None
    together = [first[axis] for axis in second]
    if together == sorted(together):
        if not node.outputs[0].is_graph_output():
            ir.convenience.replace_all_uses_with(node.outputs[0], source)
    else:
        merged = _transpose(source, together)
        _replace(graph, node, [merged])


def _remove_dead(graph: ir.Graph) -> None:
    for node in reversed(list(graph)):
        if all(not list(value.uses()) and not value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)


def _perm(value: ir.Value | None) -> list[int] | None:
    """Return the permutation if ``value`` comes out of a Transpose."""
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "Transpose" or node.domain != "":
        return None
    return list(node.attributes["perm"].as_ints()) if "perm" in node.attributes else None


def _before(value: ir.Value | None) -> ir.Value | None:
    if value is None:
        return None
    producer = value.producer()
    assert producer is not None
    return producer.inputs[0]


def _inverse(perm: Sequence[int]) -> list[int]:
    return [list(perm).index(axis) for axis in range(len(perm))]


def _transpose(value: ir.Value | None, perm: list[int]) -> ir.Node:
    assert value is not None
    node = ir.node("Transpose", [value], {"perm": perm})
    _describe(node.outputs[0], value, perm)
    return node


def _describe(value: ir.Value, like: ir.Value, perm: Sequence[int]) -> None:
    """Give ``value`` the dtype of ``like`` and its shape in the order of ``perm``."""
    value.type = like.type
    if like.shape is not None:
        value.shape = ir.Shape([like.shape[axis] for axis in perm])


def _replace(graph: ir.Graph, node: ir.Node, nodes: list[ir.Node]) -> None:
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs[:1], nodes[-1].outputs)
