"""Read a ScatterND that puts rows in place of neighbouring ones as what it is: a Concat, or the rows themselves.

Exporters write ``x[start:end] = y`` so, the places computed from the size of x.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.axis_sizes import is_size_of
from isoform.hub.passes.drop_whole_slices import slice_bounds
from isoform.hub.passes.fold_weights import constant, initializer

_ANY_END = 2**31 - 1
Rows = tuple[int, int]
"""The first row and the one after the last; `_ANY_END` where that is however many there are."""


def restore_slice_scatter(model: ir.Model) -> None:
    """Rewrite such nodes in place."""
    for node in list(model.graph):
        if node.op_type == "ScatterND" and node.domain == "" and _joins_nothing(node):
            rows = _rows(node)
            if rows is not None:
                _rewrite(model.graph, node, *rows)


def _joins_nothing(node: ir.Node) -> bool:
    return "reduction" not in node.attributes or node.attributes["reduction"].as_string() in ("", "none")


def _rows(node: ir.Node) -> Rows | None:
    """Return which rows are replaced; None where they are no neighbours, or not known."""
    data, places = node.inputs[0], node.inputs[1]
    assert data is not None
    array = constant(places)
    if array is not None:
        is_run = array.ndim == 2 and array.shape[1] == 1 and bool(np.all(np.diff(array[:, 0]) == 1))
        if not is_run or not array.size or array[0, 0] < 0:
            return None
        start, end, size = int(array[0, 0]), int(array[-1, 0]) + 1, data.shape[0] if data.shape is not None else None
        return start, (_ANY_END if end == size else end)
    column = places.producer() if places is not None else None
    axes = constant(column.inputs[1]) if column is not None and column.op_type == "Unsqueeze" else None
    if column is None or axes is None or axes.reshape(-1).tolist() not in ([-1], [1]):
        return None
    return _part_of_range(column.inputs[0], data)


def _part_of_range(value: ir.Value | None, data: ir.Value) -> Rows | None:
    """Return the rows where ``value`` is a part of 0, 1, ... up to the number of rows of ``data``."""
    node = value.producer() if value is not None else None
    start, end = 0, _ANY_END
    if node is not None and node.op_type == "Slice":
        bounds = slice_bounds(node)
        if bounds is None or len(bounds) != 1 or bounds[0][3] != 1:
            return None
        _, start, end, _ = bounds[0]
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    if node is None or node.op_type != "Range" or start < 0 or end < start:
        return None
    first, step = (constant(node.inputs[place]) for place in (0, 2))
    is_counting = first is not None and step is not None and (int(first.item()), int(step.item())) == (0, 1)
    return (start, min(end, _ANY_END)) if is_counting and is_size_of(node.inputs[1], data, 0) else None


def _rewrite(graph: ir.Graph, node: ir.Node, start: int, end: int) -> None:
    data, updates = node.inputs[0], node.inputs[2]
    assert updates is not None
    if end == start:
        return
    if start == 0 and end == _ANY_END:
        if not node.outputs[0].is_graph_output():
            ir.convenience.replace_all_uses_with(node.outputs[0], updates)
        return
    parts, new = [updates], []
    for first, last in ((0, start), (end, _ANY_END)):
        if first < last:
            names = [f"{node.outputs[0].name}/{kind}_{first}" for kind in ("start", "end", "axis")]
            bounds = [
                initializer(graph, name, np.array([number], np.int64))
                for name, number in zip(names, (first, last, 0), strict=True)
            ]
            new.append(ir.node("Slice", [data, *bounds]))
            parts.insert(0 if first == 0 else len(parts), new[-1].outputs[0])
    joined = ir.node("Concat", parts, {"axis": 0})
    joined.outputs[0].type, joined.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [*new, joined], node.outputs, joined.outputs)
