"""Read a recurrent operator's last state where the last of all its states is picked out: then nobody keeps the others.

Forward operators without a length for each sequence only: there the last step of all is the last of each.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_RECURRENT = {"GRU", "LSTM", "RNN"}
_LENGTHS = 4


def read_last_state(model: ir.Model) -> None:
    """Replace Gather of index -1 from all states by the last state, in place."""
    for graph in model.graphs():
        for node in list(graph):
            if node.op_type == "Gather" and node.domain == "" and _is_last(node):
                recurrent = _all_states_of(node)
                if recurrent is not None:
                    _replace(graph, node, recurrent)


def _is_last(node: ir.Node) -> bool:
    place = constant(node.inputs[1])
    return place is not None and place.ndim == 0 and int(place) == -1


def _all_states_of(node: ir.Node) -> ir.Node | None:
    """Return the operator along whose steps ``node`` picks; None where it picks from anything else."""
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    value = node.inputs[0]
    producer = value.producer() if value is not None else None
    if producer is not None and producer.op_type == "Transpose" and "perm" in producer.attributes:
        axis = producer.attributes["perm"].as_ints()[axis]
        value = producer.inputs[0]
        producer = value.producer() if value is not None else None
    if axis != 0 or producer is None or producer.op_type != "Squeeze":
        return None
    axes = constant(producer.inputs[1]) if len(producer.inputs) > 1 else None
    found = producer.inputs[0].producer() if producer.inputs[0] is not None else None
    is_states = found is not None and found.op_type in _RECURRENT and producer.inputs[0] is found.outputs[0]
    if found is None or not is_states or axes is None or axes.reshape(-1).tolist() not in _directions(found):
        return None
    return found if _is_plain(found) else None


def _directions(recurrent: ir.Node) -> list[list[int]]:
    """Return the axes whose Squeeze takes the directions away; for a single sequence that of the batch does, too."""
    shape = recurrent.outputs[0].shape
    return [[1], [2]] if shape is not None and shape[2] == 1 else [[1]]


def _is_plain(node: ir.Node) -> bool:
    has_lengths = len(node.inputs) > _LENGTHS and node.inputs[_LENGTHS] is not None
    direction = node.attributes["direction"].as_string() if "direction" in node.attributes else "forward"
    layout = node.attributes["layout"].as_int() if "layout" in node.attributes else 0
    return node.domain == "" and direction == "forward" and not layout and not has_lengths


def _replace(graph: ir.Graph, node: ir.Node, recurrent: ir.Node) -> None:
    if len(recurrent.outputs) == 1:
        recurrent.resize_outputs(2)
    last, picked = recurrent.outputs[1], node.outputs[0]
    last.name = last.name or f"{recurrent.outputs[0].name}/last"
    last.dtype = picked.dtype
    if picked.shape is not None:
        last.shape = ir.Shape([1, *picked.shape])
    axes = initializer(graph, f"{node.name}/axes", np.array([0], np.int64))
    squeeze = ir.node("Squeeze", [last, axes], name=node.name)
    graph.insert_before(node, squeeze)
    squeeze.outputs[0].shape, squeeze.outputs[0].type = picked.shape, picked.type
    ir.convenience.replace_all_uses_with(picked, squeeze.outputs[0], replace_graph_outputs=True)
    squeeze.outputs[0].name, picked.name = picked.name, f"{picked.name}/picked"
    graph.remove(node, safe=True)
