"""Operators over images, sequences and volumes between two Transposes, as those of the domain ``isoform.nhwc``."""

from collections.abc import Collection

import onnx_ir as ir

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.layout.order import Perm, inverse
from isoform.hub.passes.layout.rules import SOFTMAX_OF_ONE_AXIS

_WINDOWED = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool",
    "InstanceNormalization", "LRN", "MaxPool",
}  # fmt: skip
_LAST_AXIS = {"LogSoftmax", "Softmax"}


def wrap_image_operators(model: ir.Model, also: Collection[tuple[str, int]], ranks: Collection[int]) -> None:
    """Wrap such operators over tensors of ``ranks``, and each operator and rank of ``also``; in bodies, too."""
    for node in list(model.graph.all_nodes()):
        rank = _rank_of_data(node)
        if (node.op_type in _WINDOWED and rank in ranks) or (node.op_type, rank) in also:
            _wrap(node, to_last(rank))
    model.opset_imports[CHANNELS_LAST_DOMAIN] = 1


def wrap_softmax(model: ir.Model) -> None:
    """Let each Softmax along another axis run along the last one, in place."""
    if model.opset_imports.get("", 1) < SOFTMAX_OF_ONE_AXIS:
        return
    for node in list(model.graph.all_nodes()):
        rank = _rank_of_data(node) if node.op_type in _LAST_AXIS else 0
        axis = node.attributes["axis"].as_int() % rank if rank and "axis" in node.attributes else rank - 1
        if axis < rank - 1:
            node.attributes["axis"] = ir.AttrInt64("axis", -1)
            _wrap(node, to_last(rank, axis), "")


def to_last(rank: int, axis: int = 1) -> Perm:
    """Return the order that puts an axis last."""
    return (*(place for place in range(rank) if place != axis), axis)


def _rank_of_data(node: ir.Node) -> int:
    """Return the rank of the one tensor that the operator makes another of; 0 where it is none of these."""
    value = node.inputs[0] if node.domain == "" and node.inputs else None
    has_one_result = all(not list(result.uses()) and not result.is_graph_output() for result in node.outputs[1:])
    trains = "training_mode" in node.attributes and node.attributes["training_mode"].as_int()
    return 0 if value is None or value.shape is None or not has_one_result or trains else len(value.shape)


def _wrap(node: ir.Node, order: Perm, domain: str = CHANNELS_LAST_DOMAIN) -> None:
    value, graph = node.inputs[0], node.graph
    assert value is not None, "it has a shape"
    assert graph is not None, "it stands in the model"
    inwards = _transpose(value, order)
    inner = ir.Node(
        domain,
        node.op_type,
        [inwards.outputs[0], *node.inputs[1:]],
        list(node.attributes.values()),
        num_outputs=1,
        name=node.name,
    )
    _describe(inner.outputs[0], node.outputs[0], order)
    outwards = _transpose(inner.outputs[0], inverse(order))
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [inwards, inner, outwards], node.outputs[:1], outwards.outputs
    )


def _transpose(value: ir.Value, perm: Perm) -> ir.Node:
    node = ir.node("Transpose", [value], {"perm": list(perm)})
    _describe(node.outputs[0], value, perm)
    return node


def _describe(value: ir.Value, like: ir.Value, perm: Perm) -> None:
    """Give ``value`` the dtype of ``like`` and its shape in the order of ``perm``."""
    value.type = like.type
    if like.shape is not None:
        value.shape = ir.Shape([like.shape[axis] for axis in perm])
