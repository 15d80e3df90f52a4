"""BlockLSTMV2, an LSTM over a whole sequence: ONNX' LSTM, and a Scan over its steps where that does not say it.

ONNX' LSTM gives hidden states, and the cell's after the last step; nor does it clip the cell, as its own ``clip`` is of
what the activations are given. After tensorflow/core/ops/rnn_ops.cc; that the gates lie in the order input, forget,
cell, output is the kernel's (IFCO in tensorflow/core/kernels/rnn/lstm_ops.h).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoform.hub.importers.tensorflow.ops.table import Call, Form, NoForm

_GIVEN = ("i", "cs", "f", "o", "ci", "co", "h")
_CELL, _HIDDEN = _GIVEN.index("cs"), _GIVEN.index("h")
_LENGTH, _X, _CELL_BEFORE, _HIDDEN_BEFORE, _KERNEL, _FIRST_PEEPHOLE, _BIAS = 0, 1, 2, 3, 4, 5, 8
_TO_ONNX = (0, 3, 1, 2)
"""Where each gate of ONNX' order (input, output, forget, cell) stands in TensorFlow's."""
_PASSING = ("Cast", "Identity", "Squeeze")


@dataclass(frozen=True)
class _Cell:
    """What the operator has.

    Attributes:
        kernel: [input, 4 hidden]; recurrent: [hidden, 4 hidden]; both with the gates as TensorFlow has them.
        peepholes: of the input, the forget and the output gate, each [hidden]; empty where there are none.
        clip: of the cell, 0 for none.
    """

    hidden_size: int
    dtype: Any
    kernel: str
    recurrent: str
    peepholes: tuple[str, ...]
    clip: float


def block_lstm(call: Call) -> list[str | None]:
    """Return the gates and the states after each step, [length, batch, hidden]; zeros from ``seq_len_max`` on.

    There the states are zero in TensorFlow, and the gates whatever its memory held.
    """
    used = [place for place in range(len(_GIVEN)) if call.readers(place) or call.is_output(place)]
    cell, is_whole = _cell(call), _is_whole(call)
    has_last_cell = is_whole and not call.is_output(_CELL) and all(map(_takes_last, call.readers(_CELL)))
    if cell.clip == 0 and all(place == _HIDDEN or (place == _CELL and has_last_cell) for place in used):
        found = _lstm(call, cell)
    else:
        found = _scan(call, cell, used)
    return found if is_whole else [None if each is None else _cut(call, each) for each in found]


def _cell(call: Call) -> _Cell:
    rows, columns = call.shape(call.inputs[_KERNEL]) or (-1, -1)
    if rows < 0 or columns < 0:
        raise NoForm("of weights whose sizes are not declared")
    hidden = columns // 4
    kernel, recurrent = _joined(call, rows - hidden) or call.many(
        "Split", [call.inputs[_KERNEL], call.constant([rows - hidden, hidden], np.int64)], 2, axis=0
    )
    peepholes = call.inputs[_FIRST_PEEPHOLE:_BIAS] if call.attribute("use_peephole") else []
    clip = max(0.0, float(call.attribute("cell_clip")))
    return _Cell(hidden, call.dtype_of(call.inputs[_X]), kernel, recurrent, tuple(peepholes), clip)


def _joined(call: Call, width: int) -> list[str]:
    """Return the two that the fused kernel is joined of, if it is: they keep their names."""
    node = call.node.inputs[_KERNEL]
    if node.type != "Concat" or node.get_attr_value("axis") != 0 or len(node.input) != 2:
        return []
    is_cut_there = (call.shape(node.input[0]) or [-1])[0] == width
    return list(node.input) if is_cut_there else []


def _biases(call: Call, cell: _Cell) -> list[str]:
    """Return the bias, or the two that it is the sum of over their first axis, as ONNX has them."""
    node = call.node.inputs[_BIAS]
    if node.type != "ReduceSum" or call.shape(node.input[0]) != [2, 4 * cell.hidden_size]:
        return [call.inputs[_BIAS]]
    axes = _origin(node.inputs[1], (*_PASSING, "Reshape"))
    if node.get_attr_value("keepdims", 1) or not axes.is_const() or np.any(axes.get_tensor_value(as_list=False)):
        return [call.inputs[_BIAS]]
    first = call.constant([0], np.int64)
    both = call.many("Split", [node.input[0]], 2, axis=0, num_outputs=2)
    return [call.make("Squeeze", [each, first]) for each in both]


def _takes_last(node: Any) -> bool:
    """Return whether a node of TensorFlow reads the last step alone, and drops the axis."""
    if node.type != "StridedSlice" or not node.inputs[1].is_const():
        return False
    first = int(np.ravel(node.inputs[1].get_tensor_value(as_list=False))[0])
    masks = [int(node.get_attr_value(f"{name}_mask", 0)) & 1 for name in ("begin", "ellipsis", "new_axis")]
    return first == -1 and not any(masks) and bool(int(node.get_attr_value("shrink_axis_mask", 0)) & 1)


def _is_whole(call: Call) -> bool:
    """Return whether ``seq_len_max`` is the length of x, taken from its shape."""
    known, size = call.known(_LENGTH), (call.shape(call.inputs[_X]) or [-1])[0]
    if known is not None:
        return bool(known.item() == size)
    node = _origin(call.node.inputs[_LENGTH], _PASSING)
    while node.type in ("Slice", "Gather"):
        first = node.inputs[1]
        if not first.is_const() or np.ravel(first.get_tensor_value(as_list=False))[0] != 0:
            return False
        node = _origin(node.inputs[0], _PASSING)
    return bool(node.type == "Shape" and node.input[0] == call.inputs[_X])


def _origin(node: Any, passing: Sequence[str]) -> Any:
    """Return the node whose numbers ``node`` passes on."""
    while node.type in passing:
        node = node.inputs[0]
    return node


def _lstm(call: Call, cell: _Cell) -> list[str | None]:
    first = call.constant([0], np.int64)

    def lifted(name: str) -> str:
        return call.make("Unsqueeze", [name, first])

    def arranged(name: str) -> str:
        gates = call.many("Split", [name], 4, axis=-1, num_outputs=4)
        return call.make("Concat", [gates[place] for place in _TO_ONNX], axis=-1)

    kernel, recurrent = (
        lifted(call.make("Transpose", [arranged(each)], perm=[1, 0])) for each in (cell.kernel, cell.recurrent)
    )
    biases = [arranged(each) for each in _biases(call, cell)]
    zeros = call.constant(np.zeros(4 * cell.hidden_size), cell.dtype)
    bias = lifted(call.make("Concat", [*biases, zeros][:2], axis=0))
    states = [lifted(call.inputs[place]) for place in (_HIDDEN_BEFORE, _CELL_BEFORE)]
    inputs = [call.inputs[_X], kernel, recurrent, bias, "", *states]
    if cell.peepholes:
        i, f, o = cell.peepholes
        inputs.append(lifted(call.make("Concat", [i, o, f], axis=0)))
    sequence, _, last = call.many("LSTM", inputs, 3, hidden_size=cell.hidden_size)
    found: list[str | None] = [None] * len(_GIVEN)
    found[_HIDDEN] = call.make("Squeeze", [sequence, call.constant([1], np.int64)])
    found[_CELL] = last  # one step, which is the last one to all that read it
    call.graph.set_shape(call.node.output[_CELL], [1, -1, cell.hidden_size])
    return found


def _scan(call: Call, cell: _Cell, used: Sequence[int]) -> list[str | None]:
    """Return the outputs at ``used``, of which all steps are computed one by one."""
    projected = call.make("Add", [call.make("MatMul", [call.inputs[_X], cell.kernel]), call.inputs[_BIAS]])
    states = [call.inputs[_HIDDEN_BEFORE], call.inputs[_CELL_BEFORE]]

    def step(inside: Call, hidden: str, before: str, gates: str) -> list[str]:
        steps = _step(inside, cell, hidden, before, gates)
        return [steps[_HIDDEN], steps[_CELL], *(steps[place] for place in used)]

    sizes = [[-1, cell.hidden_size]] * 2 + [[-1, 4 * cell.hidden_size]]
    results = call.scan(step, states, projected, sizes, len(used))
    found: list[str | None] = [None] * len(_GIVEN)
    for place, result in zip(used, results, strict=True):
        found[place] = result
    return found


def _step(inside: Call, cell: _Cell, hidden: str, before: str, gates: str) -> list[str]:
    """Return all that one step gives, each [batch, hidden]."""

    def peeped(gate: str, state: str, place: int) -> str:
        if not cell.peepholes:
            return gate
        return inside.make("Add", [gate, inside.make("Mul", [state, cell.peepholes[place]])])

    summed = inside.make("Add", [gates, inside.make("MatMul", [hidden, cell.recurrent])])
    i, f, ci, o = inside.many("Split", [summed], 4, axis=1, num_outputs=4)
    i, f = (inside.make("Sigmoid", [peeped(each, before, place)]) for place, each in enumerate((i, f)))
    ci = inside.make("Tanh", [ci])
    cs = inside.make("Add", [inside.make("Mul", [ci, i]), inside.make("Mul", [before, f])])
    if cell.clip:
        cs = inside.make("Clip", [cs, *(inside.constant(each, cell.dtype) for each in (-cell.clip, cell.clip))])
    o = inside.make("Sigmoid", [peeped(o, cs, 2)])
    co = inside.make("Tanh", [cs])
    return [i, cs, f, o, ci, co, inside.make("Mul", [co, o])]


def _cut(call: Call, sequence: str) -> str:
    """Return ``sequence`` with zeros from ``seq_len_max`` on."""
    shape = call.make("Shape", [call.inputs[_X]])
    length = call.make("Squeeze", [call.make("Slice", [shape, *(call.constant([n], np.int64) for n in (0, 1))])])
    numbers = call.make("Range", [call.constant(0, np.int64), length, call.constant(1, np.int64)])
    is_run = call.make("Less", [numbers, call.inputs[_LENGTH]])
    lifted = call.make("Unsqueeze", [is_run, call.constant([1, 2], np.int64)])
    return call.make("Where", [lifted, sequence, call.constant(0, call.dtype_of(call.inputs[_X]))])


FORMS: dict[str, Form] = {"BlockLSTMV2": block_lstm}
