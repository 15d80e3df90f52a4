"""Give a graph other axes on the outside: a Transpose behind each input and before each output that is to be moved.

Inside nothing changes; where the graph transposes its input itself, the two meet and cancel.
"""

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from isoform.hub import graph as hub_graph
from isoform.hub.passes.layout import choose_layouts


def move_outside(model: ir.Model, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]) -> None:
    """Rewrite ``model`` in place.

    Args:
        inputs: by name, the order in which an input's axes come from now on, in terms of its old axes.
        outputs: the same for outputs.
    """
    for value in model.graph.inputs:
        if value.name in inputs:
            _move_input(model.graph, value, inputs[value.name])
    for position, value in enumerate(list(model.graph.outputs)):
        if value.name in outputs:
            _move_output(model.graph, position, value, outputs[value.name])
    hub_graph.infer_shapes(model)
    choose_layouts(model)


def _move_input(graph: ir.Graph, value: ir.Value, order: Sequence[int]) -> None:
    uses = list(value.uses())
    back = [list(order).index(axis) for axis in range(len(order))]
    node = ir.node("Transpose", [value], {"perm": back})
    node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
    value.shape = _moved(value.shape, order)
    for user, index in uses:
        user.replace_input_with(index, node.outputs[0])
    first = next(iter(graph), None)
    if first is None:
        graph.append(node)
    else:
        graph.insert_before(first, node)


def _move_output(graph: ir.Graph, position: int, value: ir.Value, order: Sequence[int]) -> None:
    node = ir.node("Transpose", [value], {"perm": list(order)})
    moved, name = node.outputs[0], value.name
    moved.type, moved.shape = value.type, _moved(value.shape, order)
    value.name = f"{name}/inside"
    moved.name = name
    graph.append(node)
    graph.outputs[position] = moved


def _moved(shape: ir.Shape | None, order: Sequence[int]) -> ir.Shape | None:
    return None if shape is None else ir.Shape([shape[axis] for axis in order])
