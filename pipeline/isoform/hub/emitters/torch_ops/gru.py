"""GRU and the plain recurrent layer: PyTorch's own kernels where they fit, else a loop that stays a loop when traced.

GRU weights are brought into PyTorch's order of gates beforehand. Shapes: recurrent_call.py.
"""

from collections.abc import Sequence
from typing import Any

import torch

from isoform.hub.emitters.torch_ops import recurrent_loop as loop
from isoform.hub.emitters.torch_ops.recurrent_call import activations as activations_of
from isoform.hub.emitters.torch_ops.recurrent_call import answer, directions, initial, kernel, length_first
from isoform.hub.emitters.torch_ops.table import Tensor, op

_GRU_ORDER = (1, 0, 2)  # ONNX: update, reset, hidden; PyTorch: reset, update, hidden


def gru_gates(w: Tensor) -> Tensor:
    return w.unflatten(1, (3, -1))[:, _GRU_ORDER].flatten(1, 2)


def gru_bias(b: Tensor) -> Tensor:
    return b.unflatten(1, (2, 3, -1))[:, :, _GRU_ORDER].flatten(1)


@op("GRU", arranged={1: gru_gates, 2: gru_gates, 3: gru_bias})
def gru(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    *, outputs: int, hidden_size: int = 0, direction: str = "forward", layout: int = 0, clip: float = 0.0,
    linear_before_reset: int = 0, activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None, activation_beta: Sequence[float] | None = None,
    output_sequence: int = 1,
) -> Any:  # fmt: skip
    """Return y, and where asked for the last hidden state."""
    count, units = int(r.shape[0]), int(r.shape[2])
    x, h = (length_first(tensor, layout) for tensor in (x, initial_h))
    h = initial(h, x, count, units)
    kinds = activations_of(activations, ("sigmoid", "tanh"), count, activation_alpha, activation_beta)
    is_usual = {names for names, _ in kinds} == {("sigmoid", "tanh")}
    if is_usual and lengths is None and not clip and linear_before_reset:
        return answer(kernel(torch.gru, x, h, w, r, b, direction), layout, outputs)
    bias = w.new_zeros(count, 6 * units) if b is None else b

    def one(place: int, data: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        names, scales = map(list, kinds[place])
        return loop.gru(
            data, mask, h[place], w[place], r[place], bias[place], clip, bool(linear_before_reset), names, scales
        )

    return answer(directions(one, x, lengths, direction), layout, outputs)


@op("RNN")
def rnn(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    *, outputs: int, hidden_size: int = 0, direction: str = "forward", layout: int = 0, clip: float = 0.0,
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, output_sequence: int = 1,
) -> Any:  # fmt: skip
    """Return y, and where asked for the last hidden state."""
    count, units = int(r.shape[0]), int(r.shape[2])
    x, h = (length_first(tensor, layout) for tensor in (x, initial_h))
    h = initial(h, x, count, units)
    kinds = activations_of(activations, ("tanh",), count, activation_alpha, activation_beta)
    function = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}.get(kinds[0][0][0])
    if function is not None and len(set(kinds)) == 1 and lengths is None and not clip:
        return answer(kernel(function, x, h, w, r, b, direction), layout, outputs)
    bias = w.new_zeros(count, 2 * units) if b is None else b

    def one(place: int, data: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        names, scales = map(list, kinds[place])
        return loop.rnn(data, mask, h[place], w[place], r[place], bias[place], clip, names, scales)

    return answer(directions(one, x, lengths, direction), layout, outputs)
