"""Recurrent operators as ONNX' own. The states that LiteRT keeps from one call to the next start at zero here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.importers.tflite_file import Array
from isoform.hub.importers.tflite_ops.call import Call, op

_Activation = schema.ActivationFunctionType
_NAMES = {_Activation.TANH: "Tanh", _Activation.RELU: "Relu"}
_ONNX_GATES = (0, 3, 1, 2)
"""Input, output, forget, cell, out of TFLite's input, forget, cell, output."""
_FORWARD, _BACKWARD = 0, 17
"""By how many places the inputs of a direction are shifted in the list of a bidirectional LSTM."""


@op("UNIDIRECTIONAL_SEQUENCE_LSTM")
def sequence_lstm(call: Call) -> ir.Value:
    _refuse_extensions(call, projections=(16, 17), norms=(20, 21, 22, 23))
    [result] = _lstm(call, [_FORWARD])
    return result


@op("BIDIRECTIONAL_SEQUENCE_LSTM")
def bidirectional_lstm(call: Call) -> list[ir.Value]:
    """Inputs of both directions, then states, then a second sequence, which is not carried."""
    _refuse_extensions(call, projections=(16, 17, 33, 34), norms=range(39, 48))
    return _lstm(call, [_FORWARD, _BACKWARD])


@op("UNIDIRECTIONAL_SEQUENCE_RNN")
def sequence_rnn(call: Call) -> ir.Value:
    """Inputs: sequences, weights [units, features], recurrent weights [units, units], bias, state."""
    [result] = _rnn(call, [1])
    return result


@op("BIDIRECTIONAL_SEQUENCE_RNN")
def bidirectional_rnn(call: Call) -> list[ir.Value]:
    if any(call.has(index) for index in (9, 10, 11)):
        raise call.refusal("a second sequence")
    return _rnn(call, [1, 5])


@op("RNN")
def rnn_cell(call: Call) -> ir.Value:
    """Return one step from the zero state: the recurrent weights change nothing."""
    x = call.emit("Gemm", call[0], call.weight(1, lambda array: array, 0, [0, 1]), call.bias(3), transB=1)
    return call.activated(x, call.operator.options.fusedActivationFunction)


@op("LSTM")
def lstm_cell(call: Call) -> list[ir.Value]:
    """One step: inputs data, previous output, weights [4 * units, features + units], bias, previous state.

    Gates stand in the order input, cell, forget, output. The last two results are the kernel's own scratch.
    """
    options = call.operator.options
    if options.kernelType != schema.LSTMKernelType.BASIC:
        raise call.refusal("a kernel other than the basic one")
    if options.cellClip or options.projClip or options.fusedActivationFunction != _Activation.TANH:
        raise call.refusal("clipping, or an activation other than tanh")
    joined = call.emit("Concat", call[0], call[1], axis=-1)
    gates = call.emit("Gemm", joined, call.weight(2, lambda array: array, 0, [0, 1]), call.bias(3), transB=1)
    take, fresh, keep, show = call.emit_several("Split", [gates], 4, axis=-1, num_outputs=4)
    taken = call.emit("Mul", call.emit("Sigmoid", take), call.emit("Tanh", fresh))
    state = call.emit("Add", taken, call.emit("Mul", call.emit("Sigmoid", keep), call[4]))
    result = call.emit("Mul", call.emit("Sigmoid", show), call.emit("Tanh", state))
    return [result, state, joined, gates][: len(call.operator.outputs)]


def _refuse_extensions(call: Call, projections: Sequence[int], norms: Sequence[int]) -> None:
    options = call.operator.options
    if any(call.has(index) for index in projections):
        raise call.refusal("a projection of the output")
    if any(call.has(index) for index in norms):
        raise call.refusal("normalised gates or a second sequence")
    if options.cellClip or options.projClip:
        raise call.refusal("a clipped state")


def _lstm(call: Call, shifts: Sequence[int]) -> list[ir.Value]:
    parts = [_lstm_weights(call, shift) for shift in shifts]
    weights = [_stacked(call, f"{kind}", [part[kind] for part in parts]) for kind in ("W", "R", "B")]
    peepholes = [_stacked(call, "P", [part["P"] for part in parts])] if "P" in parts[0] else []
    kind = _activation(call)
    return _sequence(
        call, "LSTM", weights, [None, None, *peepholes] if peepholes else [], ["Sigmoid", kind, kind] * len(shifts)
    )


def _lstm_weights(call: Call, shift: int) -> dict[str, Array]:
    """Return W, R, B and, where there are any, P of one direction, gates in ONNX' order.

    Without an input gate that is 1 minus the forget gate: the gate of the forget gate's weights negated.
    """
    inputs, recurrent, biases = ([start + shift + gate for gate in range(4)] for start in (1, 5, 12))
    coupled = not call.has(inputs[0])
    rows = {}
    for kind, places in (("W", inputs), ("R", recurrent), ("B", biases)):
        gates = [_numbers(call, place) if call.has(place) else None for place in places]
        gates = [-gates[1] if coupled and gates[1] is not None else gates[0], *gates[1:]]
        rows[kind] = _gates(call, gates)
    rows["B"] = np.concatenate([rows["B"], np.zeros_like(rows["B"])])
    peepholes = [9 + shift, 11 + shift, 10 + shift]
    if call.has(peepholes[1]):
        found = [_numbers(call, place) if call.has(place) else None for place in peepholes]
        found[0] = -found[2] if coupled and found[2] is not None else found[0]
        rows["P"] = np.concatenate([part for part in found if part is not None])
    return rows


def _gates(call: Call, gates: list[Array | None]) -> Array:
    if any(gate is None for gate in gates):
        raise call.refusal("a gate without weights")
    return np.concatenate([gate for place in _ONNX_GATES if (gate := gates[place]) is not None])


def _rnn(call: Call, starts: Sequence[int]) -> list[ir.Value]:
    kernels, recurrent, biases = ([_numbers(call, start + part) for start in starts] for part in range(3))
    weights = [
        _stacked(call, "W", kernels),
        _stacked(call, "R", recurrent),
        _stacked(call, "B", [np.concatenate([bias, np.zeros_like(bias)]) for bias in biases]),
    ]
    return _sequence(call, "RNN", weights, [], [_activation(call)] * len(starts))


def _activation(call: Call) -> str:
    activation = call.operator.options.fusedActivationFunction
    if activation not in _NAMES:
        raise call.refusal(f"the fused activation {activation}")
    return _NAMES[activation]


def _numbers(call: Call, index: int) -> Array:
    """Return a constant weight as float32."""
    array, found = call.array(index), call.tensor(index).quantization
    if array is None:
        raise call.refusal(f"'{call.tensor(index).name}' is computed while the model runs")
    if found is None or array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    shape = [-1 if axis == found.axis and found.is_per_channel else 1 for axis in range(array.ndim)]
    return ((array - found.zero_point.reshape(shape)) * found.scale.reshape(shape)).astype(np.float32)


def _stacked(call: Call, kind: str, parts: Sequence[Array]) -> ir.Value:
    """Return the weights of one or both directions, [directions, ...]."""
    return call.frame.target.initializer(f"{call.result().name}/{kind}", ir.Tensor(np.stack(parts)))


def _sequence(
    call: Call, name: str, weights: Sequence[ir.Value], more: Sequence[Any], activations: list[str]
) -> list[ir.Value]:
    """Return one sequence, or one for each direction, where the file wants them apart."""
    options, directions = call.operator.options, 2 if call.operator.name.startswith("BI") else 1
    is_time_major = bool(options.timeMajor)
    x = call[0] if is_time_major else call.transposed(call[0], [1, 0, 2])
    units = int(weights[1].shape[2])
    states = call.emit_several(
        name, [x, *weights, *([None, *more] if more else [])], 1, hidden_size=units, activations=activations,
        direction="bidirectional" if directions == 2 else "forward",
    )[0]  # [length, directions, batch, units]  # fmt: skip
    if directions == 1:
        results = [call.squeezed(states, 1)]
    elif options.mergeOutputs:
        moved = call.transposed(states, [0, 2, 1, 3])
        results = [call.emit("Reshape", moved, call.ints(0, 0, 2 * units))]
    else:
        results = [call.squeezed(part, 1) for part in call.emit_several("Split", [states], 2, axis=1, num_outputs=2)]
    return results if is_time_major else [call.transposed(each, [1, 0, 2]) for each in results]
