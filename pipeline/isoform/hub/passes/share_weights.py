"""Store once what two initialisers hold of one array, as tied embeddings are: the table, and its transpose.

For files. A runtime transposes the table when it loads them; in memory both are views of the same bytes already.
"""

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array

_SMALLEST_SHARED_BYTES = 1 << 16


def share_weights(model: ir.Model) -> ir.Model:
    """Return ``model``, or a copy around the same weights in which no large one is there twice."""
    if not any(len(group) > 1 for group in _groups(model.graph)):
        return model
    copy = model.clone()
    for group in _groups(copy.graph):
        _share(copy.graph, group)
    return copy


def _groups(graph: ir.Graph) -> list[list[tuple[ir.Value, Array]]]:
    """Return the large initialisers, those together whose elements begin at one place in memory."""
    found: dict[tuple[int, int, str], list[tuple[ir.Value, Array]]] = {}
    for value in graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.nbytes < _SMALLEST_SHARED_BYTES or tensor.dtype == ir.DataType.STRING:
            continue
        if value.is_graph_output() or value.is_graph_input():
            continue
        array = tensor.numpy()
        key = array.__array_interface__["data"][0], array.size, str(tensor.dtype)
        found.setdefault(key, []).append((value, array))
    return list(found.values())


def _share(graph: ir.Graph, group: list[tuple[ir.Value, Array]]) -> None:
    kept = next((pair for pair in group if pair[1].flags.c_contiguous), None)
    for value, array in group:
        if kept is None or value is kept[0]:
            continue
        if array.shape == kept[1].shape and array.strides == kept[1].strides:
            ir.convenience.replace_all_uses_with(value, kept[0])
            graph.initializers.pop(str(value.name))
        elif array.ndim == 2 and _is_transposed(array, kept[1]):
            turned = ir.Node("", "Transpose", [kept[0]], [ir.AttrInt64s("perm", [1, 0])], num_outputs=1)
            turned.outputs[0].type, turned.outputs[0].shape = value.type, value.shape
            graph.insert_before(graph[0], turned)
            ir.convenience.replace_all_uses_with(value, turned.outputs[0])
            graph.initializers.pop(str(value.name))
            turned.name = turned.outputs[0].name = value.name


def _is_transposed(array: Array, other: Array) -> bool:
    return array.shape == other.shape[::-1] and array.strides == np.transpose(other).strides
