"""Read a GatherND at every place of a tensor, in order, as the tensor itself with axes of size one put in.

Attention masks are looked up so, at each pair of a sample and a step: ``mask[batch[:, None], step[None, :]]``.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.axis_sizes import is_size_of
from isoform.hub.passes.fold_weights import constant, initializer

Count = tuple[int, ir.Value | None]
"""The axis along which a tensor counts 0, 1, ..., the same along all others, and up to where."""


def restore_indexing(model: ir.Model) -> None:
    """Replace such nodes by Unsqueeze, in place; shapes have to be inferred before."""
    for node in list(model.graph):
        if node.op_type == "GatherND" and node.domain == "" and not node.outputs[0].is_graph_output():
            axes = _new_axes(node)
            if axes is not None:
                _put(model.graph, node, axes)


def _new_axes(node: ir.Node) -> list[int] | None:
    """Return which axes the result has more than the data; None where anything but all of it is gathered."""
    data, shape = node.inputs[0], node.outputs[0].shape
    parts = _parts(node)
    if data is None or data.shape is None or shape is None or parts is None or len(parts) != len(data.shape):
        return None
    if "batch_dims" in node.attributes and node.attributes["batch_dims"].as_int():
        return None
    taken = []
    for place, value in enumerate(parts):
        count = _count(value)
        if count is None or not is_size_of(count[1], data, place):
            return None
        taken.append(count[0])
    new = [axis for axis in range(len(shape)) if axis not in taken]
    is_in_order = taken == sorted(set(taken))
    return new if is_in_order and all(shape[axis] == 1 for axis in new) else None


def _parts(node: ir.Node) -> list[ir.Value] | None:
    """Return the places along each axis of the data, before they are broadcast with each other and joined."""
    joined = node.inputs[1].producer() if node.inputs[1] is not None else None
    if joined is None or joined.op_type != "Concat" or node.inputs[1] is None or node.inputs[1].shape is None:
        return None
    last = len(node.inputs[1].shape) - 1
    if joined.attributes["axis"].as_int() not in (-1, last):
        return None
    expands = []
    for value in joined.inputs:
        column = value.producer() if value is not None else None
        axes = constant(column.inputs[1]) if column is not None and column.op_type == "Unsqueeze" else None
        expand = column.inputs[0].producer() if column is not None and column.inputs[0] is not None else None
        is_last = axes is not None and axes.reshape(-1).tolist() in ([-1], [last])
        if expand is None or expand.op_type != "Expand" or not is_last:
            return None
        expands.append(expand)
    sources = [expand.inputs[0] for expand in expands]
    if not all(_is_joint_shape(expand.inputs[1], sources) for expand in expands):
        return None
    return [value for value in sources if value is not None]


def _is_joint_shape(target: ir.Value | None, sources: list[ir.Value | None]) -> bool:
    """Return whether ``target`` is the shape that ``sources`` have together."""
    asked = target.producer() if target is not None else None
    if asked is None or asked.op_type != "Shape" or asked.inputs[0] is None or asked.attributes.get("end"):
        return False
    joint = asked.inputs[0].producer()
    is_elementwise = joint is not None and joint.op_type in ("Add", "Max", "Min", "Mul", "Sum")
    return joint is not None and is_elementwise and set(joint.inputs) == set(sources)


def _count(value: ir.Value | None) -> Count | None:
    node = value.producer() if value is not None else None
    if node is None or value is None or value.shape is None:
        return None
    if node.op_type == "Range":
        start, step = (constant(node.inputs[place]) for place in (0, 2))
        is_counting = start is not None and step is not None and (int(start.item()), int(step.item())) == (0, 1)
        return (0, node.inputs[1]) if is_counting else None
    if node.op_type in ("Cast", "Identity"):
        return _count(node.inputs[0])
    if node.op_type == "Add":
        for one, other in (node.inputs, node.inputs[::-1]):
            zero = constant(other)
            if zero is not None and zero.ndim == 0 and not zero.any():
                return _count(one)
    if node.op_type == "Unsqueeze":
        found, axes = _count(node.inputs[0]), constant(node.inputs[1])
        if found is None or axes is None:
            return None
        rank = len(value.shape)
        new = {int(axis) % rank for axis in axes.reshape(-1)}
        return [axis for axis in range(rank) if axis not in new][found[0]], found[1]
    return None


def _put(graph: ir.Graph, node: ir.Node, axes: list[int]) -> None:
    result = node.outputs[0]
    new = ir.node("Unsqueeze", [node.inputs[0], initializer(graph, f"{result.name}/axes", np.array(axes, np.int64))])
    new.outputs[0].type, new.outputs[0].shape = result.type, result.shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
