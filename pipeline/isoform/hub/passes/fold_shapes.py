"""Fold what a graph asks about shapes that are known: the sizes of static dimensions become initialisers.

Only sizes that a value's own shape states are folded; a symbolic dimension is left to run time, whatever it was when
the graph was traced.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer


def fold_shapes(model: ir.Model) -> None:
    """Replace Shape, and a Gather or Slice of a Shape, where the sizes asked for are static, in place."""
    for node in list(model.graph):
        sizes = _sizes(node)
        if sizes is None or any(value.is_graph_output() for value in node.outputs):
            continue
        value = node.outputs[0]
        name, value.name = value.name, f"{value.name}/unfolded"
        ir.convenience.replace_all_uses_with(value, initializer(model.graph, str(name), sizes))
        model.graph.remove(node, safe=True)


def _sizes(node: ir.Node) -> np.ndarray | None:
    if node.op_type == "Shape":
        return _static(_asked(node))
    source = node.inputs[0].producer() if node.op_type in ("Gather", "Slice") and node.inputs[0] is not None else None
    if source is None or source.op_type != "Shape":
        return None
    dims = _asked(source)
    if dims is None:
        return None
    if node.op_type == "Gather":
        index = constant(node.inputs[1])
        if index is None:
            return None
        picked = [dims[int(i)] for i in index.reshape(-1)]
        sizes = _static(picked)
        return None if sizes is None else sizes.reshape(index.shape)
    start, end = (constant(value) for value in node.inputs[1:3])
    if start is None or end is None or len(node.inputs) > 4:
        return None
    return _static(dims[int(start.item()) : int(end.item())])


def _asked(node: ir.Node) -> list[int | ir.SymbolicDim] | None:
    """Return the dimensions that a Shape node asks for."""
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    rank = len(value.shape)
    start = node.attributes["start"].as_int() if "start" in node.attributes else 0
    end = node.attributes["end"].as_int() if "end" in node.attributes else rank
    return list(value.shape)[start:end]


def _static(dims: list[int | ir.SymbolicDim] | None) -> np.ndarray | None:
    if dims is None or not all(isinstance(dim, int) for dim in dims):
        return None
    return np.array(dims, np.int64)
