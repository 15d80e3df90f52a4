"""A recurrent layer as a loop over its steps, batch and length dynamic. Not aware of what a cell computes.

A turn of the loop takes several steps. So that turns are whole, rows are put before the sequence, one fewer than a turn
takes, and the first turn begins at one of them: with states of zeros the cell rests on such a row, and states that are
given enter where the sequence begins.

Between two turns LiteRT copies what a loop carries, save what the body hands on as it is and nobody reads afterwards;
before the first turn it plans the memory of the whole body. So the input of all steps is multiplied before the loop and
never read behind it, turns are short, and the states of all steps are carried only where somebody reads them.
"""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.emitters.tflite_ops.moving import shape_of, strided_slice
from isoform.hub.emitters.tflite_ops.recurrent_layer import Layer, packed, reversed_in_time, unpacked

STEPS_PER_TURN = 2
_BEFORE = STEPS_PER_TURN - 1
_STEP, _STEPS, _X = range(3)
_FIRST_STATE = 3


def run_layer(call: Call, layer: Layer) -> tuple[Tensor, list[Tensor]]:
    """Return the states of all steps [length, batch, units], meaningless where not read, and the last states."""
    x = _rows_before(call, layer.projected(call), layer.cell.resting)
    steps = strided_slice(call, shape_of(call, x), [0], [1], [1], [1])
    begin = call.make(Code.FLOOR_MOD, [steps, call.constant([STEPS_PER_TURN])], [1], schema.FloorModOptionsT())
    shaped = _cut(call, x, layer.cell.units)
    given = [state for state in layer.initial if state is not None]
    states = given or [_zeros(call, shaped)] * len(layer.initial)
    variables = [begin, steps, x, *states, *given]
    if layer.has_sequence:
        variables.append(shaped)
    results = _loop(call, layer, variables)
    last = results[_FIRST_STATE : _FIRST_STATE + len(states)]
    if not layer.has_sequence:
        return last[0], last
    shape = (*call[0].shape[:2], layer.cell.units)
    sequence = strided_slice(call, results[-1], [_BEFORE, 0, 0], [0, 0, 0], [1, 1, 1], shape, {0, 1, 2})
    return reversed_in_time(call, sequence) if layer.is_reversed else sequence, last


def _rows_before(call: Call, x: Tensor, value: float) -> Tensor:
    """Return x with as many rows of ``value`` before it as are fewer by one than a turn takes."""
    length, *others = x.shape
    table = call.constant([[_BEFORE, 0], [0, 0], [0, 0]])
    shape = [None if length is None else length + _BEFORE, *others]
    return call.make(Code.PADV2, [x, table, call.constant(value, x.dtype)], shape, schema.PadV2OptionsT())


def _cut(call: Call, x: Tensor, units: int) -> Tensor:
    """Return a tensor of the shape of the states of all steps.

    What is in it does not matter. Its shape does: LiteRT knows it before the model runs, other than that of a tensor
    filled to a computed shape, which would make every turn of a loop allocate its tensors anew.
    """
    return strided_slice(call, x, [0, 0, 0], [0, 0, units], [1, 1, 1], (*x.shape[:2], units), {0, 1})


def _zeros(call: Call, shaped: Tensor) -> Tensor:
    first = strided_slice(call, shaped, [0, 0, 0], [1, 0, 0], [1, 1, 1], shaped.shape[1:], {1, 2}, 0)
    return call.make(Code.ZEROS_LIKE, [first], first.shape)


def _loop(call: Call, layer: Layer, variables: list[Tensor]) -> list[Tensor]:
    """Return what the variables are after the last turn."""
    graph = call.graph
    results = [
        graph.tensor(f"{call.node.name}/{place}", each.dtype, each.shape) for place, each in enumerate(variables)
    ]
    options = schema.WhileOptionsT()
    options.condSubgraphIndex = _condition(graph, variables)
    options.bodySubgraphIndex = _body(graph, variables, layer)
    graph.add(Code.WHILE, variables, results, options)
    return results


def _condition(outer: SubGraph, variables: list[Tensor]) -> int:
    graph, inputs = _sub_graph(outer, "condition", variables)
    graph.outputs = [graph.make(Code.LESS, [inputs[_STEP], inputs[_STEPS]], [1], dtype="bool")]
    return outer.file.sub_graphs.index(graph)


def _body(outer: SubGraph, variables: list[Tensor], layer: Layer) -> int:
    graph, inputs = _sub_graph(outer, "body", variables)
    count = len(layer.initial)
    step, states = inputs[_STEP], inputs[_FIRST_STATE : _FIRST_STATE + count]
    handed_on = inputs[_FIRST_STATE + count : len(inputs) - layer.has_sequence]
    put_out = []
    for place, now in enumerate(_inputs_of_turn(graph, inputs[_X], step)):
        if handed_on and place:
            states = _entering(graph, step, place, handed_on, states)
        states = layer.cell.step(graph, now, states)
        put_out.append(states[0])
    following = graph.make(Code.ADD, [step, _numbers(graph, [STEPS_PER_TURN])], [1], schema.AddOptionsT())
    graph.outputs = [following, inputs[_STEPS], inputs[_X], *states, *handed_on]
    if layer.has_sequence:
        graph.outputs.append(_stored(graph, inputs[-1], put_out, step))
    return outer.file.sub_graphs.index(graph)


def _sub_graph(outer: SubGraph, name: str, variables: list[Tensor]) -> tuple[SubGraph, list[Tensor]]:
    graph = outer.file.sub_graph(name)
    return graph, [graph.input(f"variable_{place}", each.dtype, each.shape) for place, each in enumerate(variables)]


def _inputs_of_turn(graph: SubGraph, x: Tensor, step: Tensor) -> list[Tensor]:
    """Return the input of each step of a turn times the kernel."""
    offsets = _numbers(graph, list(range(STEPS_PER_TURN)))
    places = graph.make(Code.ADD, [step, offsets], [STEPS_PER_TURN], schema.AddOptionsT())
    rows = graph.make(Code.GATHER, [x, places], (STEPS_PER_TURN, *x.shape[1:]), schema.GatherOptionsT())
    return unpacked(graph, rows)


def _entering(
    graph: SubGraph, step: Tensor, place: int, given: Sequence[Tensor], states: Sequence[Tensor]
) -> list[Tensor]:
    """Return the states before a step of a turn: those given where the sequence has not begun before it."""
    flag = graph.make(Code.LESS_EQUAL, [step, _numbers(graph, [_BEFORE - place])], [1], dtype="bool")
    return [
        graph.make(Code.SELECT_V2, [flag, first, state], state.shape, schema.SelectV2OptionsT(), state.dtype)
        for first, state in zip(given, states, strict=True)
    ]


def _stored(graph: SubGraph, sequence: Tensor, states: list[Tensor], step: Tensor) -> Tensor:
    """Return the sequence with the states of consecutive steps written from ``step`` on."""
    table = graph.constant(np.array([[0, 2]], np.int32), "to_three")
    start = graph.make(Code.PAD, [step, table], [3], schema.PadOptionsT())
    return graph.make(Code.DYNAMIC_UPDATE_SLICE, [sequence, packed(graph, states), start], sequence.shape)


def _numbers(graph: SubGraph, values: list[int]) -> Tensor:
    return graph.constant(np.array(values, np.int32), "numbers")
