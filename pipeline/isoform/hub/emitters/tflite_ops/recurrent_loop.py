"""A recurrent layer as a loop over its steps, batch and length dynamic. Not aware of what a cell computes.

A turn of the loop takes several steps; those that are left over follow it, each of them kept or not. Between two turns
LiteRT copies everything that a loop carries, the sequences too, so that with one step a turn long sequences would be
slow; before the first turn it plans the memory of the whole body, so that with many steps short ones would be. The
states of all steps are carried only where somebody reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code
from isoform.hub.emitters.tflite_ops.moving import shape_of, strided_slice

STEPS_PER_TURN = 4
_LEFT_OVER = STEPS_PER_TURN - 1


class Cell(Protocol):
    """What one step computes."""

    @property
    def kernel(self) -> Array:
        """[gates * units, features], multiplied with the input of all steps of a turn at once."""

    @property
    def bias(self) -> Array | None:
        """[gates * units]; None where absent or zero."""

    @property
    def units(self) -> int:
        """How many numbers a state has."""

    def step(self, graph: SubGraph, now: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        """Return the next states [batch, units], the one that is put out first.

        Args:
            now: the input of this step times the kernel, [batch, gates * units].
        """


@dataclass(frozen=True)
class Layer:
    """One direction of a recurrent operator.

    Attributes:
        initial: the states before the first step [batch, units]; None for zeros.
        has_sequence: whether the states of all steps are read.
    """

    cell: Cell
    initial: Sequence[Tensor | None]
    is_reversed: bool
    has_sequence: bool

    @property
    def projects_before(self) -> bool:
        """Whether the product with the kernel stands before the loops: where it is smaller than the input."""
        rows, features = self.cell.kernel.shape
        return bool(rows <= features)


def run_layer(call: Call, layer: Layer) -> tuple[Tensor, list[Tensor]]:
    """Return the states of all steps [length, batch, units], meaningless where not read, and the last states."""
    x = _reversed(call, call[0]) if layer.is_reversed else call[0]
    sized = _with_features(call, x, layer.cell.kernel.shape[1], layer.cell.units)
    first = strided_slice(call, sized, [0, 0, 0], [1, 0, 0], [1, 1, 1], sized.shape[1:], {1, 2}, 0)
    zeros = call.make(Code.ZEROS_LIKE, [first], first.shape)
    if layer.projects_before:
        x = product(call.graph, x, layer.cell.kernel, layer.cell.bias)
    steps = strided_slice(call, shape_of(call, x), [0], [1], [1], [], dropped=0)
    variables = [call.constant(0), steps, x, *(given or zeros for given in layer.initial)]
    if layer.has_sequence:
        variables.append(_padded(call, sized, 0, _LEFT_OVER))
    sequence, states = _left_over(call.graph, layer, _loop(call, layer, variables))
    if sequence is None:
        return states[0], states
    sequence = strided_slice(call, sequence, [0, 0, 0], [-_LEFT_OVER, 0, 0], [1, 1, 1], sized.shape, {1, 2})
    return _reversed(call, sequence) if layer.is_reversed else sequence, states


def _reversed(call: Call, x: Tensor) -> Tensor:
    return call.make(Code.REVERSE_V2, [x, call.constant([0])], x.shape, schema.ReverseV2OptionsT())


def _with_features(call: Call, x: Tensor, features: int, count: int) -> Tensor:
    """Return x [length, batch, features] cut or padded to [length, batch, count].

    What is in it does not matter. Its shape does: LiteRT knows it before the model runs, other than that of a tensor
    filled to a computed shape, which would make every turn of a loop allocate its tensors anew.
    """
    if features < count:
        return _padded(call, x, 2, count - features)
    return strided_slice(call, x, [0, 0, 0], [0, 0, count], [1, 1, 1], (*x.shape[:2], count), {0, 1})


def _padded(call: Call, x: Tensor, axis: int, count: int) -> Tensor:
    table = np.zeros((len(x.shape), 2), np.int32)
    table[axis, 1] = count
    shape = [None if size is None else size + count * (place == axis) for place, size in enumerate(x.shape)]
    return call.make(Code.PAD, [x, call.constant(table)], shape, schema.PadOptionsT())


def product(graph: SubGraph, x: Tensor, kernel: Array, bias: Array | None) -> Tensor:
    """Return x [..., features] times kernel [rows, features], transposed, plus bias [rows]."""
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(x.shape) > 2
    row = graph.constant(bias, "bias") if bias is not None else None
    shape = (*x.shape[:-1], kernel.shape[0])
    return graph.make(Code.FULLY_CONNECTED, [x, graph.constant(kernel, "kernel"), row], shape, options)


def _loop(call: Call, layer: Layer, variables: list[Tensor]) -> list[Tensor]:
    """Return what the variables are after as many whole turns as there are."""
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
    graph, (step, steps, *_) = _sub_graph(outer, "condition", variables)
    following = graph.make(Code.ADD, [step, _number(graph, STEPS_PER_TURN)], [], schema.AddOptionsT())
    graph.outputs = [graph.make(Code.LESS_EQUAL, [following, steps], [], dtype="bool")]
    return outer.file.sub_graphs.index(graph)


def _body(outer: SubGraph, variables: list[Tensor], layer: Layer) -> int:
    graph, inputs = _sub_graph(outer, "body", variables)
    step, steps, x = inputs[:3]
    states, put_out = list(inputs[3 : 3 + len(layer.initial)]), []
    for now in _inputs_of_steps(graph, layer, x, _places(graph, step, STEPS_PER_TURN)):
        states = layer.cell.step(graph, now, states)
        put_out.append(states[0])
    following = graph.make(Code.ADD, [step, _number(graph, STEPS_PER_TURN)], [], schema.AddOptionsT())
    graph.outputs = [following, steps, x, *states]
    if layer.has_sequence:
        graph.outputs.append(_stored(graph, inputs[-1], put_out, step))
    return outer.file.sub_graphs.index(graph)


def _sub_graph(outer: SubGraph, name: str, variables: list[Tensor]) -> tuple[SubGraph, list[Tensor]]:
    graph = outer.file.sub_graph(name)
    return graph, [graph.input(f"variable_{place}", each.dtype, each.shape) for place, each in enumerate(variables)]


def _left_over(graph: SubGraph, layer: Layer, variables: list[Tensor]) -> tuple[Tensor | None, list[Tensor]]:
    """Return the sequence and the last states after the steps that fill no turn: states are kept where none is left."""
    step, steps, x = variables[:3]
    states, put_out = variables[3 : 3 + len(layer.initial)], []
    places = _places(graph, step, _LEFT_OVER)
    last = graph.make(Code.SUB, [steps, _number(graph, 1)], [], schema.SubOptionsT())
    inside = graph.make(Code.MINIMUM, [places, last], places.shape, schema.MaximumMinimumOptionsT())
    flags = _unpacked(graph, graph.make(Code.LESS, [places, steps], places.shape, dtype="bool"))
    for now, flag in zip(_inputs_of_steps(graph, layer, x, inside), flags, strict=True):
        following = layer.cell.step(graph, now, states)
        states = [
            graph.make(Code.SELECT_V2, [flag, new, old], new.shape, schema.SelectV2OptionsT(), new.dtype)
            for new, old in zip(following, states, strict=True)
        ]
        put_out.append(states[0])
    return (_stored(graph, variables[-1], put_out, step) if layer.has_sequence else None), states


def _places(graph: SubGraph, step: Tensor, count: int) -> Tensor:
    """Return the numbers of the next steps."""
    offsets = graph.constant(np.arange(count, dtype=np.int32), "offsets")
    return graph.make(Code.ADD, [step, offsets], [count], schema.AddOptionsT())


def _inputs_of_steps(graph: SubGraph, layer: Layer, x: Tensor, places: Tensor) -> list[Tensor]:
    """Return the input of each step times the kernel."""
    now = graph.make(Code.GATHER, [x, places], (*places.shape, *x.shape[1:]), schema.GatherOptionsT())
    if not layer.projects_before:
        now = product(graph, now, layer.cell.kernel, layer.cell.bias)
    return _unpacked(graph, now)


def _unpacked(graph: SubGraph, tensor: Tensor) -> list[Tensor]:
    """Return what stands along the first axis, whose size is known."""
    options = schema.UnpackOptionsT()
    options.num = int(tensor.shape[0] or 0)
    name = f"step_{len(graph.tensors)}"
    parts = [graph.tensor(f"{name}_{place}", tensor.dtype, tensor.shape[1:]) for place in range(options.num)]
    graph.add(Code.UNPACK, [tensor], parts, options)
    return parts


def _stored(graph: SubGraph, sequence: Tensor, states: list[Tensor], first: Tensor) -> Tensor:
    """Return the sequence with the states of consecutive steps written from ``first`` on."""
    pack = schema.PackOptionsT()
    pack.valuesCount = len(states)
    rows = graph.make(Code.PACK, states, (len(states), *states[0].shape), pack)
    zero = _number(graph, 0)
    place = graph.make(Code.EXPAND_DIMS, [first, zero], [1], schema.ExpandDimsOptionsT())
    zeros = graph.constant(np.zeros(2, np.int32), "zeros")
    start = graph.make(Code.CONCATENATION, [place, zeros], [3], schema.ConcatenationOptionsT())
    return graph.make(Code.DYNAMIC_UPDATE_SLICE, [sequence, rows, start], sequence.shape)


def _number(graph: SubGraph, value: int) -> Tensor:
    return graph.constant(np.array(value, np.int32), f"number_{value}")
