"""Recurrent operators: what is asked of them, and what their cells compute. The loops stand in recurrent_loop.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.hybrid import Kernel, kernel_of
from isoform.hub.emitters.tflite_ops.moving import concat, strided_slice
from isoform.hub.emitters.tflite_ops.recurrent_layer import Cell, Layer, present, product
from isoform.hub.emitters.tflite_ops.recurrent_loop import run_layer
from isoform.hub.emitters.tflite_ops.recurrent_unrolled import may_unroll, unrolled_layer
from isoform.hub.passes.fold_weights import constant

_DIRECTIONS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
_FAR = 1e4
"""Where a sigmoid is 0 or, with the other sign, 1 to the last bit; no product with a state comes near it."""
Build = Callable[[Kernel, Kernel, Array | None, Array | None], Cell]


@dataclass(frozen=True)
class LstmCell:
    """Gates in ONNX' order: input, output, forget, cell; c' = f c + i tanh(g), h' = o tanh(c')."""

    kernel: Kernel
    recurrent: Kernel
    bias: Array | None
    recurrent_bias: Array | None

    resting = -_FAR  # neither entry nor exit: c' = f 0 + 0 g, h' = 0 tanh(0)

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])

    @property
    def biases(self) -> list[Array]:
        return present(self.bias)

    def step(self, graph: SubGraph, now: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        hidden, cell = states
        gates = _sum(graph, now, product(graph, hidden, self.recurrent, self.recurrent_bias))
        entry, exit_, forget, _ = split(graph, _apply(graph, Code.LOGISTIC, gates), 4)  # one call costs less than three
        candidate = _apply(graph, Code.TANH, last_columns(graph, gates, self.units))
        cell = _sum(graph, _times(graph, forget, cell), _times(graph, entry, candidate))
        return [_times(graph, exit_, _apply(graph, Code.TANH, cell)), cell]


@dataclass(frozen=True)
class GruCell:
    """Gates in ONNX' order: update, reset, hidden; h' = (1 - z) g + z h, written g + z (h - g).

    Attributes:
        resets_after: whether the reset gate is applied after the recurrent product, as PyTorch and Keras do.
    """

    kernel: Kernel
    recurrent: Kernel
    bias: Array | None
    recurrent_bias: Array | None
    resets_after: bool

    resting = _FAR  # update of 1: h' = g + 1 (0 - g)

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])

    @property
    def biases(self) -> list[Array]:
        return present(self.bias)

    def step(self, graph: SubGraph, now: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        [hidden] = states
        *now_gates, now_candidate = split(graph, now, 3)
        if self.resets_after:
            before = split(graph, product(graph, hidden, self.recurrent, self.recurrent_bias), 3)
            update, reset = self._gates(graph, now_gates, before)
            candidate = _times(graph, reset, before[2])
        else:
            of_gates, of_candidate = self._parts
            update, reset = self._gates(graph, now_gates, split(graph, product(graph, hidden, *of_gates), 2))
            candidate = product(graph, _times(graph, reset, hidden), *of_candidate)
        candidate = _apply(graph, Code.TANH, _sum(graph, now_candidate, candidate))
        difference = graph.make(Code.SUB, [hidden, candidate], candidate.shape, schema.SubOptionsT())
        return [_sum(graph, candidate, _times(graph, update, difference))]

    @cached_property
    def _parts(self) -> list[tuple[Kernel, Array | None]]:
        """The recurrent kernel and its bias for the gates, and for the candidate: cut once, stored once."""
        place = 2 * self.units
        biases = [None, None] if self.recurrent_bias is None else np.split(self.recurrent_bias, [place])
        return list(zip(self.recurrent.split(place), biases, strict=True))

    def _gates(self, graph: SubGraph, now: list[Tensor], before: list[Tensor]) -> list[Tensor]:
        return [_apply(graph, Code.LOGISTIC, _sum(graph, *both)) for both in zip(now, before[:2], strict=True)]


@dataclass(frozen=True)
class RnnCell:
    """h' = f(x W + h R + b).

    Attributes:
        function: the operator code of f.
    """

    kernel: Kernel
    recurrent: Kernel
    bias: Array | None
    recurrent_bias: Array | None
    function: int

    resting = 0.0  # f(0 + 0 R) = 0 for every f here

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])

    @property
    def biases(self) -> list[Array]:
        return present(self.bias, self.recurrent_bias)

    def step(self, graph: SubGraph, now: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        before = product(graph, states[0], self.recurrent, None)
        return [_apply(graph, self.function, _sum(graph, now, before))]


@op("LSTM", since=7)
def lstm(call: Call) -> list[Tensor]:
    """Return Y [length, directions, batch, units], and the last hidden and cell states [directions, batch, units]."""
    if call.has(7) or call.int("input_forget", 0):
        raise call.refusal("peepholes or coupled gates")
    _require_activations(call, ["sigmoid", "tanh", "tanh"])
    return _recurrent(call, LstmCell, gates=4, states=(5, 6))


@op("GRU", since=7)
def gru(call: Call) -> list[Tensor]:
    """Return Y [length, directions, batch, units], and the last states [directions, batch, units]."""
    _require_activations(call, ["sigmoid", "tanh"])
    resets_after = bool(call.int("linear_before_reset", 0))
    return _recurrent(call, partial(GruCell, resets_after=resets_after), gates=3, states=(5,))


@op("RNN", since=7)
def rnn(call: Call) -> list[Tensor]:
    """Return Y [length, directions, batch, units], and the last states [directions, batch, units]."""
    names = _activations(call)
    if names and set(names) == {"relu"}:
        return _recurrent(call, partial(RnnCell, function=Code.RELU), gates=1, states=(5,))
    _require_activations(call, ["tanh"])
    return _recurrent(call, partial(RnnCell, function=Code.TANH), gates=1, states=(5,))


def _recurrent(call: Call, build: Build, gates: int, states: tuple[int, ...]) -> list[Tensor]:
    if call.has(4):
        raise call.refusal("a length for each sequence")
    if call.int("layout", 0) or "clip" in call.node.attributes:
        raise call.refusal("another layout or clipping")
    has_sequence = _is_read(call, 0)
    found = []
    for place, is_reversed in enumerate(_DIRECTIONS[call.string("direction", "forward")]):
        cell = build(*_weights(call, place, gates))
        initial = _states(call, states, place)
        layer = Layer(cell, initial, is_reversed, has_sequence)
        run = unrolled_layer if may_unroll(call.graph.file, call[0].shape[0]) else run_layer
        found.append(run(call, layer))
    results = [_sequence(call, [steps for steps, _ in found]) if has_sequence else found[0][0]]
    for part in range(len(call.node.outputs) - 1):
        last = [each[part] for _, each in found]
        results.append(_joined(call, last, 0) if _is_read(call, 1 + part) else last[0])
    return results


def _sequence(call: Call, directions: list[Tensor]) -> Tensor:
    """Return the states of all steps; of one direction without an axis for it where the next node drops that."""
    follower = call.only_follower("Squeeze") if len(directions) == 1 else None
    axes = constant(follower.inputs[1]) if follower is not None and len(follower.inputs) > 1 else None
    if follower is None or axes is None or axes.reshape(-1).tolist() != [1]:
        return _joined(call, directions, 1)
    call.scope.done.add(follower)
    call.scope.values[follower.outputs[0]] = directions[0]
    return directions[0]


def _is_read(call: Call, index: int) -> bool:
    value = call.node.outputs[index]
    return bool(list(value.uses())) or value.is_graph_output()


def _activations(call: Call) -> list[str]:
    attribute = call.node.attributes.get("activations")
    return [] if attribute is None else [name.lower() for name in attribute.as_strings()]


def _require_activations(call: Call, usual: list[str]) -> None:
    if _activations(call) not in ([], usual, usual * 2):
        raise call.refusal("other activations")


def _weights(call: Call, place: int, gates: int) -> tuple[Kernel, Kernel, Array | None, Array | None]:
    """Return kernel, recurrent kernel and their biases of one direction; biases of zeros are left out."""
    kernel, recurrent, both = kernel_of(call, 1, place), kernel_of(call, 2, place), call.array(3)
    if kernel is None or recurrent is None or (call.has(3) and both is None):
        raise call.refusal("computed weights")
    rows = gates * recurrent.shape[1]
    biases = [None, None] if both is None else [both[place, :rows], both[place, rows:]]
    first, second = (row if row is not None and row.any() else None for row in biases)
    return kernel, recurrent, first, second


def _states(call: Call, indices: Sequence[int], place: int) -> list[Tensor | None]:
    """Return the initial states [batch, units] of one direction: None for all of them, or zeros where one is absent."""
    states = [_state(call, index, place) for index in indices]
    given = next((state for state in states if state is not None), None)
    if given is None:
        return states
    return [call.make(Code.ZEROS_LIKE, [given], given.shape) if state is None else state for state in states]


def _state(call: Call, index: int, place: int) -> Tensor | None:
    state = call.get(index)
    if state is None:
        return None
    begin, end = [place, 0, 0], [place + 1, 0, 0]
    return strided_slice(call, state, begin, end, [1, 1, 1], state.shape[1:], {1, 2}, 0)


def _joined(call: Call, tensors: list[Tensor], axis: int) -> Tensor:
    """Return the directions side by side on a new axis."""
    shape = [*tensors[0].shape[:axis], 1, *tensors[0].shape[axis:]]
    place = call.constant(axis)
    wide = [call.make(Code.EXPAND_DIMS, [each, place], shape, schema.ExpandDimsOptionsT()) for each in tensors]
    shape[axis] = len(wide)
    return wide[0] if len(wide) == 1 else concat(call, wide, axis, shape)


def split(graph: SubGraph, tensor: Tensor, count: int) -> list[Tensor]:
    """Return equal parts of the last axis of [batch, size]; SPLIT runs inside XNNPACK, which SPLIT_V does not."""
    shape = (tensor.shape[0], int(tensor.shape[1] or 0) // count)
    parts = [graph.tensor(f"part_{len(graph.tensors)}_{place}", tensor.dtype, shape) for place in range(count)]
    options = schema.SplitOptionsT()
    options.numSplits = count
    graph.add(Code.SPLIT, [graph.constant(np.array(1, np.int32), "last"), tensor], parts, options)
    return parts


def last_columns(graph: SubGraph, tensor: Tensor, count: int) -> Tensor:
    """Return the last ``count`` columns of [batch, size]; XNNPACK takes no SLICE of an open size."""
    size = int(tensor.shape[1] or 0)
    bounds = [graph.constant(np.array(each, np.int32), "bounds") for each in ([0, size - count], [0, size], [1, 1])]
    options = schema.StridedSliceOptionsT()
    options.endMask = 1
    return graph.make(Code.STRIDED_SLICE, [tensor, *bounds], (tensor.shape[0], count), options)


def _sum(graph: SubGraph, one: Tensor, other: Tensor) -> Tensor:
    return graph.make(Code.ADD, [one, other], one.shape, schema.AddOptionsT())


def _times(graph: SubGraph, one: Tensor, other: Tensor) -> Tensor:
    return graph.make(Code.MUL, [one, other], one.shape, schema.MulOptionsT())


def _apply(graph: SubGraph, code: int, x: Tensor) -> Tensor:
    return graph.make(code, [x], x.shape)
