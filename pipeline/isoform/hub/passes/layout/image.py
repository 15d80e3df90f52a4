"""Image operators between two Transposes, as those of the domain ``isoform.nhwc``."""

from collections.abc import Collection

import onnx_ir as ir

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_RANK = 4
_IMAGE = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool",
    "InstanceNormalization", "LRN", "MaxPool",
}  # fmt: skip


def wrap_image_operators(model: ir.Model, also: Collection[str]) -> None:
    """Wrap each image operator of the main graph, and those named in ``also``, in place."""
    names = _IMAGE.union(also)
    for node in list(model.graph):
        if _is_image_operator(node, names):
            _wrap(model.graph, node)
    model.opset_imports[CHANNELS_LAST_DOMAIN] = 1


def _is_image_operator(node: ir.Node, names: Collection[str]) -> bool:
    if node.domain != "" or node.op_type not in names or node.inputs[0] is None:
        return False
    shape = node.inputs[0].shape
    has_one_result = all(not list(value.uses()) and not value.is_graph_output() for value in node.outputs[1:])
    return shape is not None and len(shape) == _RANK and has_one_result


def _wrap(graph: ir.Graph, node: ir.Node) -> None:
    value = node.inputs[0]
    assert value is not None, "it has a shape"
    inwards = _transpose(value, TO_LAST)
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
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [inwards, inner, outwards], node.outputs[:1], outwards.outputs
    )


def _transpose(value: ir.Value, perm: tuple[int, ...]) -> ir.Node:
    node = ir.node("Transpose", [value], {"perm": list(perm)})
    _describe(node.outputs[0], value, perm)
    return node


def _describe(value: ir.Value, like: ir.Value, perm: tuple[int, ...]) -> None:
    """Give ``value`` the dtype of ``like`` and its shape in the order of ``perm``."""
    value.type = like.type
    if like.shape is not None:
        value.shape = ir.Shape([like.shape[axis] for axis in perm])
