"""Turn a sequence of parts that are taken out by number into Split, or into Slice where their sizes are not known.

PyTorch's exporter writes a split that way, and types the sequence as a tensor, which no runtime accepts.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_PARTS = "SplitToSequence"
_PART = "SequenceAt"


def restore_split(model: ir.Model, *, is_computed: bool = True) -> bool:
    """Replace every SplitToSequence of which only numbered parts are used, in place; return whether there was one.

    Args:
        is_computed: sizes may be numbers that the graph computes; else those alone are taken that are constant, as
            long as others may still turn out to be.
    """
    was_any = False
    for node in list(model.graph):
        if node.op_type != _PARTS or ("keepdims" in node.attributes and not node.attributes["keepdims"].as_int()):
            continue
        takers = [use.node for use in node.outputs[0].uses()]
        numbers = [_number(taker) for taker in takers]
        if node.outputs[0].is_graph_output() or len(node.inputs) < 2 or any(number is None for number in numbers):
            continue
        known = [(taker, number) for taker, number in zip(takers, numbers, strict=True) if number is not None]
        count = _count(node)
        is_known = constant(node.inputs[1]) is not None
        if (is_known or is_computed) and all(_is_there(number, count) for _, number in known):
            _replace(model.graph, node, known, count)
            was_any = True
    return was_any


def _number(taker: ir.Node) -> int | None:
    if taker.op_type != _PART or taker.inputs[1] is None:
        return None
    position = constant(taker.inputs[1])
    return None if position is None else int(position.reshape(()))


def _is_there(number: int, count: int | None) -> bool:
    """Return whether a part is known to be made; where their number is not known, from the front."""
    return number >= 0 if count is None else -count <= number < count


def _count(node: ir.Node) -> int | None:
    """Return how many parts there are; None where one size stands for all of a length that is not known."""
    sizes = _sizes(node)
    if sizes is not None:
        return len(sizes)
    split = node.inputs[1]
    count = split.shape[0] if split is not None and split.shape is not None and len(split.shape) == 1 else None
    return count if isinstance(count, int) else None


def _sizes(node: ir.Node) -> list[int] | None:
    """Return the size of each part, where all are known."""
    split, data = constant(node.inputs[1]), node.inputs[0]
    if split is None:
        return None
    if split.ndim:
        return [int(part) for part in split]
    size = None if data is None or data.shape is None else data.shape[node.attributes.get_int("axis", 0)]
    if not isinstance(size, int):
        return None
    part = int(split)
    return [min(part, size - start) for start in range(0, size, part)]


def _replace(graph: ir.Graph, node: ir.Node, takers: Sequence[tuple[ir.Node, int]], count: int | None) -> None:
    data = node.inputs[0]
    assert data is not None
    places = {number: number if number >= 0 else number + (count or 0) for _, number in takers}
    sizes = _sizes(node)
    parts = _split(graph, node, sizes) if sizes is not None else _slices(graph, node, set(places.values()))
    for taker, number in takers:
        old, new = taker.outputs[0], parts[places[number]]
        new.type, new.shape = data.type, new.shape or old.shape
        if old.is_graph_output():  # the name of an output belongs to the graph
            new.name, old.name = old.name, f"{old.name}/taken"
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        graph.remove(taker, safe=True)
    graph.remove(node, safe=True)


def _split(graph: ir.Graph, node: ir.Node, parts: Sequence[int]) -> Mapping[int, ir.Value]:
    name = str(node.outputs[0].name)
    sizes = initializer(graph, f"{name}/sizes", np.array(parts, np.int64))
    axis = {"axis": node.attributes.get_int("axis", 0)}
    whole = ir.node("Split", [node.inputs[0], sizes], axis, num_outputs=len(parts), name=node.name)
    graph.insert_before(node, whole)
    for number, value in enumerate(whole.outputs):
        value.name = f"{name}/{number}"
    return dict(enumerate(whole.outputs))


def _slices(graph: ir.Graph, node: ir.Node, wanted: set[int]) -> Mapping[int, ir.Value]:
    """Return the wanted parts, each from where the sizes before it end; what is made of known sizes is folded later."""
    name, split = str(node.outputs[0].name), node.inputs[1]
    assert split is not None
    is_list = split.shape is not None and len(split.shape) == 1

    def made(op_type: str, inputs: Sequence[ir.Value], word: str) -> ir.Value:
        maker = ir.node(op_type, inputs, name=f"{name}/{word}")
        graph.insert_before(node, maker)
        maker.outputs[0].name = f"{name}/{word}"
        maker.outputs[0].type, maker.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([1])
        return maker.outputs[0]

    def number(value: int, word: str) -> ir.Value:
        return initializer(graph, f"{name}/{word}", np.array([value], np.int64))

    ends = [number(0, "start")]
    for place in range(max(wanted) + 1):
        if is_list:
            size = made("Gather", [split, number(place, f"{place}/place")], f"{place}/size")
        else:
            size = made("Reshape", [split, number(1, f"{place}/shape")], f"{place}/size")
        ends.append(made("Add", [ends[-1], size], f"{place}/end"))
    axis = number(node.attributes.get_int("axis", 0), "axis")
    found = {}
    for place in wanted:
        maker = ir.node("Slice", [node.inputs[0], ends[place], ends[place + 1], axis], name=f"{name}/{place}")
        graph.insert_before(node, maker)
        maker.outputs[0].name = f"{name}/{place}"
        found[place] = maker.outputs[0]
    return found
