"""LSTM, GRU and RNN, batch and length dynamic.

A plain LSTM is TensorFlow's BlockLSTMV2, one kernel for the whole sequence; everything else is a loop in which only
the recurrent product is left, the inputs of all steps having been projected at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

Activation = Callable[[Tensor], Tensor]
Step = Callable[..., tuple[Tensor, ...]]

_WITH_PARAMETERS: dict[str, Callable[[Tensor, float, float], Tensor]] = {
    "Affine": lambda x, alpha, beta: alpha * x + beta,
    "Elu": lambda x, alpha, beta: tf.where(x < 0, alpha * tf.math.expm1(x), x),
    "HardSigmoid": lambda x, alpha, beta: tf.clip_by_value(alpha * x + beta, 0.0, 1.0),
    "LeakyRelu": lambda x, alpha, beta: tf.nn.leaky_relu(x, alpha),
    "Relu": lambda x, alpha, beta: tf.nn.relu(x),
    "ScaledTanh": lambda x, alpha, beta: alpha * tf.tanh(beta * x),
    "Sigmoid": lambda x, alpha, beta: tf.sigmoid(x),
    "Softplus": lambda x, alpha, beta: tf.math.softplus(x),
    "Softsign": lambda x, alpha, beta: tf.math.softsign(x),
    "Tanh": lambda x, alpha, beta: tf.tanh(x),
    "ThresholdedRelu": lambda x, alpha, beta: tf.where(x > alpha, x, tf.zeros_like(x)),
}
_DEFAULTS = {
    "Affine": (1.0, 0.0), "Elu": (1.0, 0.0), "HardSigmoid": (0.2, 0.5), "LeakyRelu": (0.01, 0.0),
    "ScaledTanh": (1.0, 1.0), "ThresholdedRelu": (1.0, 0.0),
}  # fmt: skip


@dataclass(frozen=True)
class Direction:
    """What one direction of a recurrent operator has: its parameters, transposed for products from the left.

    Attributes:
        kernel: [input, gates * hidden].
        recurrent: [hidden, gates * hidden].
        biases: [2, gates * hidden], of the input and of the state, or None.
        states: initial states, each [batch, hidden].
    """

    kernel: Tensor
    recurrent: Tensor
    biases: Tensor | None
    peephole: Tensor | None
    states: tuple[Tensor, ...]
    activations: Sequence[Activation]


@op("LSTM")
def lstm(call: Call) -> tuple[Tensor, ...]:
    is_plain = call.attr_strings("activations") in (None, _names("Sigmoid Tanh Tanh") * _count(call))
    special = any(name in call.node.attributes for name in ("clip", "activation_alpha", "activation_beta"))
    if is_plain and not special and not call.attr_int("input_forget") and call[0].dtype in (tf.float32, tf.float16):
        return _recurrent(call, "ifco", 2, "Sigmoid Tanh Tanh", _block_lstm)
    return _recurrent(call, "ifco", 2, "Sigmoid Tanh Tanh", lambda c, x, d: _loop(x, d, _lstm_step(c, d)))


@op("GRU")
def gru(call: Call) -> tuple[Tensor, ...]:
    return _recurrent(
        call, "zrh", 1, "Sigmoid Tanh", lambda c, x, d: _loop(x, d, _gru_step(c, d), d.biases is not None)
    )


@op("RNN")
def rnn(call: Call) -> tuple[Tensor, ...]:
    return _recurrent(call, "i", 1, "Tanh", lambda c, x, d: _loop(x, d, _rnn_step(c, d)))


_ORDER = {"ifco": (0, 2, 3, 1), "zrh": (0, 1, 2), "i": (0,)}
"""Where each gate, in the order in which it is used here, stands in ONNX' tensors: LSTM has i, o, f, c."""


def _recurrent(
    call: Call, gates: str, states: int, defaults: str, run: Callable[..., Sequence[Tensor]]
) -> tuple[Tensor, ...]:
    """Return Y [length, direction, batch, hidden] and the last states [direction, batch, hidden]."""
    is_batch_first = bool(call.attr_int("layout"))
    x = tf.transpose(call[0], [1, 0, 2]) if is_batch_first else call[0]
    lengths = None if call[4] is None else tf.cast(call[4], tf.int32)
    sequences, finals = [], []
    for index in range(_count(call)):
        is_reverse = call.attr_string("direction", "forward") == "reverse" or index == 1
        turned = _reversed(x, lengths) if is_reverse else x
        direction = _direction(call, index, gates, states, defaults, turned)
        trajectories = run(call, turned, direction)
        finals.append([_last(trajectory, lengths) for trajectory in trajectories])
        y = trajectories[0] if lengths is None else trajectories[0] * _mask(trajectories[0], lengths)
        sequences.append(_reversed(y, lengths) if is_reverse else y)
    y = tf.stack(sequences, 1)
    last = [tf.stack(final, 0) for final in zip(*finals, strict=True)]
    if is_batch_first:
        return tf.transpose(y, [2, 0, 1, 3]), *(tf.transpose(final, [1, 0, 2]) for final in last)
    return y, *last


def _count(call: Call) -> int:
    return 2 if call.attr_string("direction", "forward") == "bidirectional" else 1


def _names(text: str) -> list[str]:
    return text.split()


def _direction(call: Call, index: int, gates: str, states: int, defaults: str, x: Tensor) -> Direction:
    order = _ORDER[gates]

    def matrix(weight: Any, module: Any) -> Any:
        return module.transpose(_in_order(weight[index], order, 0, module))

    def rows(weight: Any, module: Any) -> Any:
        return _in_order(module.reshape(weight[index], [2, -1]), order, 1, module)

    def peep(weight: Any, module: Any) -> Any:
        return module.reshape(weight[index], [3, -1])

    recurrent = call.arranged(2, f"recurrent{index}", matrix)
    zero = tf.zeros(tf.stack([tf.shape(x)[1], tf.shape(recurrent)[0]]), x.dtype)
    zero = tf.ensure_shape(zero, [x.shape[1], recurrent.shape[0]])
    given = [call[5 + number] for number in range(states)]
    if call.attr_int("layout"):
        given = [None if state is None else tf.transpose(state, [1, 0, 2]) for state in given]
    return Direction(
        kernel=call.arranged(1, f"kernel{index}", matrix),
        recurrent=recurrent,
        biases=None if not call.has(3) else call.arranged(3, f"bias{index}", rows),
        peephole=None if not call.has(7) else call.arranged(7, f"peephole{index}", peep),
        states=tuple(zero if state is None else state[index] for state in given),
        activations=_activations(call, index, defaults),
    )


def _in_order(weight: Any, order: Sequence[int], axis: int, module: Any) -> Any:
    parts = (np.split if module is np else tf.split)(weight, len(order), axis)
    return (np.concatenate if module is np else tf.concat)([parts[position] for position in order], axis)


def _activations(call: Call, index: int, defaults: str) -> list[Activation]:
    names = call.attr_strings("activations") or _names(defaults) * _count(call)
    alphas, betas = list(call.attr_floats("activation_alpha") or []), list(call.attr_floats("activation_beta") or [])
    functions = []
    for name in names:
        alpha, beta = _DEFAULTS.get(name, (0.0, 0.0))
        takes = name in _DEFAULTS
        alpha = alphas.pop(0) if takes and alphas else alpha
        beta = betas.pop(0) if takes and betas else beta
        functions.append(_clipped(call, _with_parameters(_WITH_PARAMETERS[name], alpha, beta)))
    share = len(names) // _count(call)
    return functions[index * share : (index + 1) * share]


def _with_parameters(function: Callable[..., Any], alpha: float, beta: float) -> Activation:
    return lambda x: function(x, alpha, beta)


def _clipped(call: Call, function: Activation) -> Activation:
    if "clip" not in call.node.attributes:
        return function
    limit = call.attr_float("clip")
    return lambda x: function(tf.clip_by_value(x, -limit, limit))


def _block_lstm(call: Call, x: Tensor, direction: Direction) -> Sequence[Tensor]:
    """Return the hidden and the cell state after every step, [length, batch, hidden] each."""
    hidden, cell = direction.states
    width = direction.recurrent.shape[0]
    zeros = tf.zeros([width], x.dtype)
    peephole = direction.peephole
    result = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.shape(x, tf.int64)[0],
        x=x,
        cs_prev=cell,
        h_prev=hidden,
        w=tf.concat([direction.kernel, direction.recurrent], 0),
        wci=zeros if peephole is None else peephole[0],
        wcf=zeros if peephole is None else peephole[2],
        wco=zeros if peephole is None else peephole[1],
        b=tf.zeros([4 * width], x.dtype) if direction.biases is None else tf.reduce_sum(direction.biases, 0),
        cell_clip=0.0,
        use_peephole=peephole is not None,
    )
    return result.h, result.cs


def _loop(x: Tensor, direction: Direction, step: Step, has_own_bias: bool = False) -> Sequence[Tensor]:
    """Return every state after every step; ``step`` gets the projected input and the states before it."""
    projected = tf.tensordot(x, direction.kernel, 1)
    if direction.biases is not None:
        projected += direction.biases[0] if has_own_bias else tf.reduce_sum(direction.biases, 0)
    length = tf.shape(x)[0]
    inputs = tf.TensorArray(x.dtype, length).unstack(projected)
    shapes = [state.shape for state in direction.states]
    traces = [tf.TensorArray(x.dtype, length, element_shape=shape) for shape in shapes]

    def body(time: Tensor, states: Any, traces: Any) -> Any:
        new = step(inputs.read(time), *states)
        new = tuple(tf.ensure_shape(state, shape) for state, shape in zip(new, shapes, strict=True))
        written = tuple(trace.write(time, state) for trace, state in zip(traces, new, strict=True))
        return time + 1, new, written

    end = tf.while_loop(lambda time, *_: time < length, body, (0, direction.states, tuple(traces)))
    return [trace.stack() for trace in end[2]]


def _lstm_step(call: Call, direction: Direction) -> Step:
    f, g, h = direction.activations

    def step(projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        i, forget, c, o = tf.split(projected + tf.matmul(hidden, direction.recurrent), 4, 1)
        if direction.peephole is not None:
            i, forget = i + direction.peephole[0] * cell, forget + direction.peephole[2] * cell
        i = f(i)
        forget = 1 - i if call.attr_int("input_forget") else f(forget)
        new = forget * cell + i * g(c)
        if direction.peephole is not None:
            o += direction.peephole[1] * new
        return f(o) * h(new), new

    return step


def _gru_step(call: Call, direction: Direction) -> Step:
    f, g = direction.activations
    width = direction.recurrent.shape[0]
    is_late = bool(call.attr_int("linear_before_reset"))
    bias = direction.biases[1] if direction.biases is not None else None

    def step(projected: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        x_gates, x_new = projected[:, : 2 * width], projected[:, 2 * width :]
        both = tf.matmul(hidden, direction.recurrent[:, : 2 * width])
        update, reset = tf.split(f(x_gates + (both if bias is None else both + bias[: 2 * width])), 2, 1)
        candidate = tf.matmul(hidden if is_late else reset * hidden, direction.recurrent[:, 2 * width :])
        candidate = candidate if bias is None else candidate + bias[2 * width :]
        new = g(x_new + (reset * candidate if is_late else candidate))
        return ((1 - update) * new + update * hidden,)

    return step


def _rnn_step(call: Call, direction: Direction) -> Step:
    f = direction.activations[0]
    return lambda projected, hidden: (f(projected + tf.matmul(hidden, direction.recurrent)),)


def _reversed(x: Tensor, lengths: Tensor | None) -> Tensor:
    return tf.reverse(x, [0]) if lengths is None else tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1)


def _last(trajectory: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return trajectory[-1]
    return tf.gather(tf.transpose(trajectory, [1, 0, 2]), lengths - 1, batch_dims=1)


def _mask(x: Tensor, lengths: Tensor) -> Tensor:
    """Return ones within each row's length, zeros behind it, [length, batch, 1]."""
    inside = tf.transpose(tf.sequence_mask(lengths, tf.shape(x)[0]))
    return tf.cast(inside, x.dtype)[:, :, None]
