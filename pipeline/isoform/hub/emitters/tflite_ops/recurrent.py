"""Recurrent operators as one small loop, batch and length dynamic.

The input projections of all steps are one matrix product before the loop; its body holds one step, whatever the
length. The last state leaves the loop by itself; the states of all steps are kept only where somebody reads them.
"""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Array, SubGraph, Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import concat, shape_of, strided_slice


@dataclass(frozen=True)
class Direction:
    """One direction of an LSTM.

    Attributes:
        kernel: [4 units, features], recurrent: [4 units, units]; gates in ONNX' order: input, output, forget, cell.
        bias, recurrent_bias: [4 units]; None where absent or zero.
        hidden, cell: initial states [batch, units]; None for zeros.
    """

    kernel: Array
    recurrent: Array
    bias: Array | None
    recurrent_bias: Array | None
    hidden: Tensor | None
    cell: Tensor | None
    is_reversed: bool
    has_sequence: bool

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])


@op("LSTM")
def lstm(call: Call) -> list[Tensor]:
    """Return Y [length, directions, batch, units], and the last hidden and cell states [directions, batch, units]."""
    _refuse_variants(call)
    kernel, recurrent = call.array(1), call.array(2)
    if kernel is None or recurrent is None or (call.get(3) is not None and call.array(3) is None):
        raise call.refusal("computed weights")
    mode = call.string("direction", "forward")
    flags = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[mode]
    has_sequence = bool(list(call.node.outputs[0].uses())) or call.node.outputs[0].is_graph_output()
    found = [
        _loop(call, _direction(call, kernel, recurrent, place, is_reversed, has_sequence))
        for place, is_reversed in enumerate(flags)
    ]
    outputs = []
    for part, axis in ((0, 1), (1, 0), (2, 0)):
        tensors = [_expanded(call, states[part], axis) for states in found]
        shape = list(tensors[0].shape)
        shape[axis] = len(tensors)
        outputs.append(tensors[0] if len(tensors) == 1 else concat(call, tensors, axis, shape))
    return outputs


def _refuse_variants(call: Call) -> None:
    if call.get(4) is not None:
        raise call.refusal("a length for each sequence")
    if call.get(7) is not None:
        raise call.refusal("peepholes")
    activations = [name.lower() for name in _strings(call, "activations")]
    usual = activations in ([], ["sigmoid", "tanh", "tanh"], ["sigmoid", "tanh", "tanh"] * 2)
    if not usual or call.int("layout", 0) or call.int("input_forget", 0) or "clip" in call.node.attributes:
        raise call.refusal("other activations, layout, clipping or coupled gates")


def _strings(call: Call, name: str) -> list[str]:
    return list(call.node.attributes[name].as_strings()) if name in call.node.attributes else []


def _direction(
    call: Call, kernel: Array, recurrent: Array, place: int, is_reversed: bool, has_sequence: bool
) -> Direction:
    both = call.array(3)
    rows = 4 * recurrent.shape[2]
    bias = both[place, :rows] if both is not None else None
    recurrent_bias = both[place, rows:] if both is not None else None
    hidden, cell = (_state(call, index, place) for index in (5, 6))
    return Direction(
        np.ascontiguousarray(kernel[place]),
        np.ascontiguousarray(recurrent[place]),
        None if bias is None or not bias.any() else np.ascontiguousarray(bias),
        None if recurrent_bias is None or not recurrent_bias.any() else np.ascontiguousarray(recurrent_bias),
        hidden,
        cell,
        is_reversed,
        has_sequence,
    )


def _state(call: Call, index: int, place: int) -> Tensor | None:
    """Return the initial state [batch, units] of one direction."""
    state = call.get(index)
    if state is None:
        return None
    begin, end = [place, 0, 0], [place + 1, 0, 0]
    return strided_slice(call, state, begin, end, [1, 1, 1], state.shape[1:], {1, 2}, 0)


def _loop(call: Call, direction: Direction) -> tuple[Tensor, Tensor, Tensor]:
    """Return the states of all steps [length, batch, units], and the last hidden and cell states [batch, units]."""
    graph, x, units = call.graph, call[0], direction.units
    length, batch = x.shape[0], x.shape[1]
    projected = _product(graph, x, direction.kernel, direction.bias, (length, batch, 4 * units))
    sizes = shape_of(call, x)
    steps = strided_slice(call, sizes, [0], [1], [1], [], dropped=0)
    state_shape = concat(call, [strided_slice(call, sizes, [1], [2], [1], [1]), call.constant([units])], 0, [2])
    hidden, cell = (given or _zeros(call, state_shape, (batch, units)) for given in (direction.hidden, direction.cell))
    variables = [call.constant(0), steps, projected, hidden, cell]
    if direction.has_sequence:
        whole = concat(call, [strided_slice(call, sizes, [0], [2], [1], [2]), call.constant([units])], 0, [3])
        variables.append(_zeros(call, whole, (length, batch, units)))
    results = [
        graph.tensor(f"{call.node.name}/{place}", each.dtype, each.shape) for place, each in enumerate(variables)
    ]
    options = schema.WhileOptionsT()
    options.condSubgraphIndex = _condition(graph, variables)
    options.bodySubgraphIndex = _body(graph, variables, direction)
    graph.add(Code.WHILE, variables, results, options)
    return results[5] if direction.has_sequence else results[3], results[3], results[4]


def _condition(outer: SubGraph, variables: list[Tensor]) -> int:
    graph = outer.file.sub_graph("condition")
    step, steps, *_ = [graph.input(f"variable_{place}", each.dtype, each.shape) for place, each in enumerate(variables)]
    graph.outputs = [graph.make(Code.LESS, [step, steps], [], dtype="bool")]
    return outer.file.sub_graphs.index(graph)


def _body(outer: SubGraph, variables: list[Tensor], direction: Direction) -> int:
    graph = outer.file.sub_graph("body")
    inputs = [graph.input(f"variable_{place}", each.dtype, each.shape) for place, each in enumerate(variables)]
    step, steps, projected, hidden, cell = inputs[:5]
    one = graph.constant(np.array(1, np.int32), "one")
    following = graph.make(Code.ADD, [step, one], [], schema.AddOptionsT())
    place = graph.make(Code.SUB, [steps, following], [], schema.SubOptionsT()) if direction.is_reversed else step
    options = schema.GatherOptionsT()
    now = graph.make(Code.GATHER, [projected, place], projected.shape[1:], options)
    hidden, cell = _cell(graph, now, hidden, cell, direction)
    graph.outputs = [following, steps, projected, hidden, cell]
    if direction.has_sequence:
        graph.outputs.append(_stored(graph, inputs[5], hidden, place))
    return outer.file.sub_graphs.index(graph)


def _cell(graph: SubGraph, now: Tensor, hidden: Tensor, cell: Tensor, direction: Direction) -> tuple[Tensor, Tensor]:
    """Return the next states: c' = f c + i tanh(g), h' = o tanh(c')."""
    units, shape = direction.units, hidden.shape
    batch = shape[0]
    before = _product(graph, hidden, direction.recurrent, direction.recurrent_bias, (batch, 4 * units))
    gates = graph.make(Code.ADD, [now, before], (batch, 4 * units), schema.AddOptionsT())
    sigmoids, candidate = _split(graph, gates, [3 * units, units])
    sigmoids = graph.make(Code.LOGISTIC, [sigmoids], sigmoids.shape)
    entry, exit_, forget = _split(graph, sigmoids, [units] * 3)
    candidate = graph.make(Code.TANH, [candidate], shape)
    kept = graph.make(Code.MUL, [forget, cell], shape, schema.MulOptionsT())
    added = graph.make(Code.MUL, [entry, candidate], shape, schema.MulOptionsT())
    cell = graph.make(Code.ADD, [kept, added], shape, schema.AddOptionsT())
    squashed = graph.make(Code.TANH, [cell], shape)
    return graph.make(Code.MUL, [exit_, squashed], shape, schema.MulOptionsT()), cell


def _stored(graph: SubGraph, sequence: Tensor, hidden: Tensor, place: Tensor) -> Tensor:
    """Return the sequence with the state of one step written at its place."""
    zero = graph.constant(np.array(0, np.int32), "zero")
    row = graph.make(Code.EXPAND_DIMS, [hidden, zero], (1, *hidden.shape), schema.ExpandDimsOptionsT())
    first = graph.make(Code.EXPAND_DIMS, [place, zero], [1], schema.ExpandDimsOptionsT())
    options = schema.ConcatenationOptionsT()
    start = graph.make(Code.CONCATENATION, [first, graph.constant(np.array([0, 0], np.int32), "zeros")], [3], options)
    return graph.make(Code.DYNAMIC_UPDATE_SLICE, [sequence, row, start], sequence.shape)


def _product(graph: SubGraph, x: Tensor, kernel: Array, bias: Array | None, shape: tuple[int | None, ...]) -> Tensor:
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = len(shape) > 2
    row = graph.constant(bias, "bias") if bias is not None else None
    return graph.make(Code.FULLY_CONNECTED, [x, graph.constant(kernel, "kernel"), row], shape, options)


def _split(graph: SubGraph, tensor: Tensor, lengths: list[int]) -> list[Tensor]:
    parts = [
        graph.tensor(f"part_{len(graph.tensors)}_{place}", tensor.dtype, (tensor.shape[0], length))
        for place, length in enumerate(lengths)
    ]
    options = schema.SplitVOptionsT()
    options.numSplits = len(lengths)
    sizes, axis = (graph.constant(np.array(value, np.int32), "split") for value in (lengths, 1))
    graph.add(Code.SPLIT_V, [tensor, sizes, axis], parts, options)
    return parts


def _zeros(call: Call, shape: Tensor, sizes: tuple[int | None, ...]) -> Tensor:
    return call.make(Code.FILL, [shape, call.constant(0.0, "float32")], sizes, schema.FillOptionsT(), "float32")


def _expanded(call: Call, tensor: Tensor, axis: int) -> Tensor:
    shape = [*tensor.shape[:axis], 1, *tensor.shape[axis:]]
    return call.make(Code.EXPAND_DIMS, [tensor, call.constant(axis)], shape, schema.ExpandDimsOptionsT())
