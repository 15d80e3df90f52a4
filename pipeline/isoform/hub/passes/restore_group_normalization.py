"""Give back group normalisation, which PyTorch's exporter writes as an instance normalisation of joined channels.

``[n, c, ...]`` becomes ``[n, groups, -1]``, is normalised with a scale of one and no bias, becomes what it was, and is
multiplied and shifted by channel.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.linear_layer import is_private

GROUP_OPSET = 21
_JOINED_RANK = 3


def restore_group_normalization(model: ir.Model) -> None:
    """Replace the idiom in place, and what only it read goes; new nodes carry the opset that has the operator."""
    for node in list(model.graph):
        if node.op_type == "InstanceNormalization" and node.domain == "":
            x, back = _joined(node), _parted(node)
            if x is not None and back is not None and _is_like(back, x):
                _put(model.graph, node, x, back)
    common.RemoveUnusedNodesPass()(model)


def _joined(node: ir.Node) -> ir.Value | None:
    """Return what has its channels joined by groups before ``node``, which neither scales nor shifts."""
    joined = node.inputs[0]
    before = joined.producer() if joined is not None else None
    scale, bias = (constant(value) for value in node.inputs[1:3])
    is_plain = scale is not None and bias is not None and bool(np.all(scale == 1) and not bias.any())
    if before is None or before.op_type != "Reshape" or joined is None or joined.shape is None or not is_plain:
        return None
    x = before.inputs[0]
    if x is None or x.shape is None or len(joined.shape) != _JOINED_RANK or len(x.shape) < _JOINED_RANK:
        return None
    target = constant(before.inputs[1])
    keeps_batch = target is not None and target[0] == 0 and not _is_set(before, "allowzero")
    return x if keeps_batch or _size(joined, 0) == _size(x, 0) is not None else None


def _parted(node: ir.Node) -> ir.Node | None:
    """Return the Reshape that is all that reads ``node``."""
    if not is_private(node.outputs[0]):
        return None
    ((reader, place),) = node.outputs[0].uses()
    return reader if reader.op_type == "Reshape" and not place and reader.domain == "" else None


def _is_like(back: ir.Node, x: ir.Value) -> bool:
    """Return whether ``back`` gives the shape of ``x``: asked of it, or the same sizes but for one left over."""
    asked = back.inputs[1].producer() if back.inputs[1] is not None else None
    if asked is not None and asked.op_type == "Shape" and asked.inputs[0] is x and not asked.attributes.get("end"):
        return not _is_set(asked, "start")
    result = back.outputs[0]
    if result.shape is None or x.shape is None or len(result.shape) != len(x.shape):
        return False
    same = [_size(result, axis) == _size(x, axis) is not None for axis in range(len(x.shape))]
    return same.count(False) <= 1


def _size(value: ir.Value, axis: int) -> int | str | None:
    dim = value.shape[axis] if value.shape is not None else None
    return dim.value if isinstance(dim, ir.SymbolicDim) else dim


def _is_set(node: ir.Node, name: str) -> bool:
    return name in node.attributes and node.attributes[name].as_int() != 0


def _put(graph: ir.Graph, node: ir.Node, x: ir.Value, back: ir.Node) -> None:
    scale = constant(node.inputs[1])
    groups, channels = 0 if scale is None else scale.size, _size(x, 1)
    if not groups or not isinstance(channels, int) or channels % groups:
        return
    rank, last = len(x.shape or ()), back
    rows: list[Array] = []
    for op_type, neutral in (("Mul", np.ones), ("Add", np.zeros)):
        found = _by_channel(last, op_type, rank, channels)
        last = last if found is None else found[0]
        rows.append(neutral(channels, np.float32) if found is None else found[1])
    named = [initializer(graph, f"{node.name}/{name}", row) for name, row in zip(("scale", "bias"), rows, strict=True)]
    attributes = [ir.AttrInt64("num_groups", groups), node.attributes.get("epsilon") or ir.AttrFloat32("epsilon", 1e-5)]
    new = ir.Node("", "GroupNormalization", [x, *named], attributes, num_outputs=1, name=node.name, version=GROUP_OPSET)
    new.outputs[0].type, new.outputs[0].shape = last.outputs[0].type, last.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, last, [last], [new], last.outputs, new.outputs)


def _by_channel(node: ir.Node, op_type: str, rank: int, channels: int) -> tuple[ir.Node, Array] | None:
    """Return the product or sum with a number for each channel that is all that reads ``node``, and the numbers."""
    if not is_private(node.outputs[0]):
        return None
    ((reader, place),) = node.outputs[0].uses()
    array = constant(reader.inputs[1 - place]) if reader.op_type == op_type and reader.domain == "" else None
    if array is None or array.dtype != np.float32 or array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    is_row = shape == (1, channels, *[1] * (rank - 2))
    return (reader, array.reshape(-1)) if is_row else None
