"""Give back GRU and RNN, which TensorFlow writes as loops: one step a turn, over the first axis of a tensor.

A loop is one when it counts from zero, reads one element a turn, carries one state, gives nothing but that state, and
its step computes what the operator's does (`recurrent_cells`). Masked loops, which keep states back, stay loops.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer
from isoform.hub.passes.recurrent_cells import Cell, recognise
from isoform.hub.reference_evaluator import evaluator

_COUNTING = {"Add", "And", "Cast", "Identity", "Less"}
_SHAPING = {"Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class Recurrence:
    """What is known of a loop that may be a recurrent operator.

    Attributes:
        x: outside, [time, batch, features].
        element: inside, what of x one turn reads.
        state: the number of the carried state.
    """

    node: ir.Node
    body: ir.Graph
    x: ir.Value
    element: ir.Value
    state: int


def restore_recurrent(model: ir.Model) -> None:
    """Replace every such Loop of the main graph by its operator, in place."""
    for node in list(model.graph):
        if node.op_type != "Loop":
            continue
        found = _recurrence(node)
        cell = _cell(found) if found is not None else None
        if found is not None and cell is not None:
            _put(model.graph, found, *cell)


def _recurrence(node: ir.Node) -> Recurrence | None:
    body: ir.Graph = node.attributes["body"].as_graph()
    carried = [
        index for index in range(len(node.inputs) - 2) if _origin(body.outputs[1 + index]) is not body.inputs[2 + index]
    ]
    counters = [index for index in carried if _counts(node, body, index)]
    states = [index for index in carried if index not in counters]
    if len(counters) != 1 or len(states) != 1 or not _turns_are_counted(node, body):
        return None
    (counter,), (state,) = counters, states
    reads = [use.node for use in body.inputs[2 + counter].uses() if use.node.op_type == "Gather" and use.idx == 1]
    if len(reads) != 1 or any(uses_of is None for uses_of in reads[0].inputs):
        return None
    x = _outside(node, body, reads[0].inputs[0])
    axis = reads[0].attributes["axis"].as_int() if "axis" in reads[0].attributes else 0
    if axis == 1:
        x = _turned(x)
    result = body.outputs[1 + state]
    scanned = body.outputs[len(node.inputs) - 1 :]
    is_plain = all(_origin(value) is _origin(result) for value in scanned)
    others_unused = all(
        not list(value.uses()) and not value.is_graph_output()
        for index, value in enumerate(node.outputs[: len(node.inputs) - 2])
        if index != state
    )
    if x is None or axis not in (0, 1) or not is_plain or not others_unused or not _is_length_of(node.inputs[0], x):
        return None
    return Recurrence(node, body, x, reads[0].outputs[0], state)


def _turned(x: ir.Value | None) -> ir.Value | None:
    """Return x with its first two axes exchanged, where the graph has that: what asks for its length reads it."""
    for use in x.uses() if x is not None else ():
        perm = list(use.node.attributes["perm"].as_ints()) if use.node.op_type == "Transpose" else []
        if perm[:2] == [1, 0] and perm[2:] == list(range(2, len(perm))):
            return use.node.outputs[0]
    return None


def _counts(node: ir.Node, body: ir.Graph, index: int) -> bool:
    """Return whether a carried value is the number of the turn."""
    start, step = constant(node.inputs[2 + index]), _producer(_origin(body.outputs[1 + index]))
    if start is None or start.size != 1 or start.any() or step is None or step.op_type != "Add":
        return False
    first, second = step.inputs
    one = constant(second) if first is body.inputs[2 + index] else constant(first)
    return body.inputs[2 + index] in (first, second) and one is not None and one.size == 1 and one.item() == 1


def _turns_are_counted(node: ir.Node, body: ir.Graph) -> bool:
    """Return whether the condition to go on depends on counters only."""
    return all(each.op_type in _COUNTING for each in _ancestors(body.outputs[0], within=body)) and all(
        each.op_type in _COUNTING | _SHAPING | {"Shape"} for each in _ancestors(node.inputs[1], within=None)
    )


def _is_length_of(value: ir.Value | None, x: ir.Value) -> bool:
    """Return whether ``value`` is the size of the first axis of ``x``, taken from its shape."""
    node = _producer(value)
    while node is not None and node.op_type in _SHAPING:
        if node.op_type in ("Slice", "Gather"):
            first = constant(node.inputs[1])
            if first is None or first.ravel()[0] != 0:
                return False
        node = _producer(node.inputs[0])
    if node is None or node.op_type != "Shape" or "start" in node.attributes:
        return False
    return node.inputs[0] is not None and _unreversed(node.inputs[0]) is _unreversed(x)


def _unreversed(value: ir.Value) -> ir.Value:
    """Return the tensor that ``value`` is in reversed order, which has the same sizes."""
    node = _producer(value)
    while node is not None and node.op_type == "ReverseSequence" and node.inputs[0] is not None:
        value = node.inputs[0]
        node = _producer(value)
    return value


def _cell(found: Recurrence) -> tuple[Cell, list[str]] | None:
    """Return the cell of a loop and the names of its kernel, its recurrent kernel and its bias."""
    state, result = found.body.inputs[2 + found.state], found.body.outputs[1 + found.state]
    sizes = [value.shape[-1] for value in (found.element, result) if value.shape is not None]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) != 2:
        return None
    nodes = [node for node in _ancestors(result, stop=(found.element, state)) if found.element not in node.outputs]
    leaves: dict[str, tuple[str, Array]] = {}
    for value in (value for node in nodes for value in node.inputs if value is not None):
        if value in (found.element, state) or (value.producer() in nodes):
            continue
        outside = _outside(found.node, found.body, value)
        array = constant(outside)
        if array is None or outside is None:
            return None
        leaves[str(value.name)] = (str(outside.name), array)
    if any(attribute.type == ir.AttributeType.GRAPH for node in nodes for attribute in node.attributes.values()):
        return None
    evaluate = _evaluator(found, nodes, {name: array for name, (_, array) in leaves.items()})
    cell = recognise(evaluate, [array for _, array in leaves.values()], *known)
    if cell is None:
        return None
    names = {id(array): name for name, array in leaves.values()}
    biases = [name for name, array in leaves.values() if array.size and np.shares_memory(array, cell.bias)]
    fallback = f"{found.node.name}/bias"
    return cell, [names[id(cell.kernel)], names[id(cell.recurrent)], biases[0] if biases else fallback]


def _evaluator(found: Recurrence, nodes: Sequence[ir.Node], leaves: dict[str, Array]) -> Any:
    """Return one step of the loop as a function of element and state."""
    state, result = found.body.inputs[2 + found.state], _origin(found.body.outputs[1 + found.state])
    order = {node: position for position, node in enumerate(found.body)}
    inner = [ir.to_proto(node) for node in sorted(nodes, key=lambda node: order[node])]
    named = [onnx.helper.make_tensor_value_info(str(value.name), 1, None) for value in (found.element, state)]
    output = onnx.helper.make_tensor_value_info(str(result.name), 1, None)
    constants = [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in leaves.items()]
    graph = onnx.helper.make_graph(inner, "step", named, [output], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    reference = evaluator(model)

    def step(x: Array, h: Array) -> Array:
        (following,) = reference.run(None, {str(found.element.name): x, str(state.name): h})
        return np.asarray(following)

    return step


def _put(graph: ir.Graph, found: Recurrence, cell: Cell, names: Sequence[str]) -> None:
    arrays = [cell.kernel.T[None], cell.recurrent.T[None], cell.bias.reshape(1, -1)]
    for name in names:
        if name in graph.initializers:
            graph.initializers[name].name = f"{name}/loop"
    weights = [initializer(graph, name, array) for name, array in zip(names, arrays, strict=True)]
    start = found.node.inputs[2 + found.state]
    axis = [initializer(graph, f"{found.node.name}/axis_{number}", np.array([number])) for number in (0, 1)]
    lifted = ir.node("Unsqueeze", [start, axis[0]])
    attributes: dict[str, Any] = {"hidden_size": cell.units, "activations": list(cell.activations)}
    if cell.op_type == "GRU":
        attributes["linear_before_reset"] = int(cell.is_reset_after)
    whole = ir.node(
        cell.op_type, [found.x, *weights, None, lifted.outputs[0]], attributes, num_outputs=2, name=found.node.name
    )
    every, last = ir.node("Squeeze", [whole.outputs[0], axis[1]]), ir.node("Squeeze", [whole.outputs[1], axis[0]])
    carried = len(found.node.inputs) - 2
    scanned = list(found.node.outputs[carried:])
    old = [found.node.outputs[found.state], *scanned]
    new = [last.outputs[0], *(every.outputs[0] for _ in scanned)]
    graph.insert_before(found.node, [lifted, whole, every, last])
    for before, after in zip(old, new, strict=True):
        after.type = before.type
        ir.convenience.replace_all_uses_with(before, after, replace_graph_outputs=True)
    graph.remove(found.node, safe=True)


def _outside(node: ir.Node, body: ir.Graph, value: ir.Value | None) -> ir.Value | None:
    """Return the value of the outer graph that ``value`` of the body always is; None for one that the body makes."""
    inputs = list(body.inputs)
    if value in inputs:
        index = inputs.index(value) - 2
        return node.inputs[2 + index] if index >= 0 and _origin(body.outputs[1 + index]) is value else None
    producer = _producer(value)
    if producer is not None and producer.graph is body and producer.op_type != "Constant":
        return None
    return value


def _ancestors(
    value: ir.Value | None, *, stop: Sequence[ir.Value] = (), within: ir.Graph | None = None
) -> Iterator[ir.Node]:
    """Yield each node that ``value`` is made by, once."""
    seen: set[ir.Node] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        node = _producer(each) if each not in stop else None
        if (
            node is None
            or node in seen
            or node.op_type == "Constant"
            or (within is not None and node.graph is not within)
        ):
            continue
        seen.add(node)
        yield node
        if node.op_type != "Shape":
            waiting.extend(node.inputs)


def _origin(value: ir.Value) -> ir.Value:
    """Return what an Identity is of."""
    node = _producer(value)
    while node is not None and node.op_type == "Identity" and node.inputs[0] is not None:
        value = node.inputs[0]
        node = _producer(value)
    return value


def _producer(value: ir.Value | None) -> ir.Node | None:
    return value.producer() if value is not None else None
