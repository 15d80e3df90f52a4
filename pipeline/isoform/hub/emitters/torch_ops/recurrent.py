"""LSTM: PyTorch's own kernel where it fits, else a loop that stays a loop when traced.

Weights are brought into PyTorch's order of gates beforehand. Shapes: recurrent_call.py.
"""

from collections.abc import Sequence
from typing import Any

import torch

from isoform.hub.emitters.torch_ops import recurrent_loop as loop
from isoform.hub.emitters.torch_ops.recurrent_call import activations as activations_of
from isoform.hub.emitters.torch_ops.recurrent_call import answer, directions, initial, kernel, length_first
from isoform.hub.emitters.torch_ops.table import Tensor, op

_FROM_ONNX = (0, 2, 3, 1)
"""PyTorch's gates are input, forget, cell, output; ONNX' are input, output, forget, cell."""
_USUAL = ("sigmoid", "tanh", "tanh")


def _reordered(weight: Tensor) -> Tensor:
    """Return [directions, 4 units, ...] with the gates in PyTorch's order."""
    gates = weight.chunk(4, 1)
    return torch.cat([gates[place] for place in _FROM_ONNX], 1)


def _reordered_bias(bias: Tensor) -> Tensor:
    """Return [directions, 8 units], input and recurrent bias, with the gates of each in PyTorch's order."""
    return torch.cat([_reordered(half) for half in bias.chunk(2, 1)], 1)


@op("LSTM", arranged={1: _reordered, 2: _reordered, 3: _reordered_bias})
def lstm(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None, initial_c: Tensor | None = None, p: Tensor | None = None,
    *, outputs: int, hidden_size: int = 0, direction: str = "forward", layout: int = 0, clip: float = 0.0,
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, input_forget: int = 0, output_sequence: int = 1,
) -> Any:  # fmt: skip
    """Return y, and where asked for the last hidden state and the last cell state."""
    count, units = int(r.shape[0]), int(r.shape[2])
    x, given_h, given_c = (length_first(tensor, layout) for tensor in (x, initial_h, initial_c))
    h, c = initial(given_h, x, count, units), initial(given_c, x, count, units)
    kinds = activations_of(activations, _USUAL, count, activation_alpha, activation_beta)
    is_usual = {names for names, _ in kinds} == {_USUAL} and not clip and not input_forget
    if is_usual and sequence_lens is None and p is None:
        return answer(kernel(torch.lstm, x, [h, c], w, r, b, direction), layout, outputs)
    bias = w.new_zeros(count, 8 * units) if b is None else b
    peepholes = w.new_zeros(count, 3 * units) if p is None else p

    def one(place: int, data: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        names, scales = map(list, kinds[place])
        return loop.lstm(
            data, mask, h[place], c[place], w[place], r[place], bias[place], peepholes[place],
            clip, bool(input_forget), names, scales,
        )  # fmt: skip

    return answer(directions(one, x, sequence_lens, direction), layout, outputs)
