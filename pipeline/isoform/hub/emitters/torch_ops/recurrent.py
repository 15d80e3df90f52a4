"""Recurrent operators, as PyTorch's own: batch and length dynamic."""

from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops.table import Tensor, op

_FROM_ONNX = (0, 2, 3, 1)
"""PyTorch's gates are input, forget, cell, output; ONNX' are input, output, forget, cell."""


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
    *, outputs: int, hidden_size: int | None = None, direction: str = "forward", layout: int = 0,
    activations: list[str] | None = None, input_forget: int = 0,
) -> Any:  # fmt: skip
    """Return Y [length, directions, batch, units], and the last hidden and cell states [directions, batch, units]."""
    usual = [name.lower() for name in activations or []] in (
        [], ["sigmoid", "tanh", "tanh"], ["sigmoid", "tanh", "tanh"] * 2,
    )  # fmt: skip
    if sequence_lens is not None or p is not None or layout or input_forget or not usual:
        raise IsoformError(
            "An LSTM with lengths, peepholes, layout 1, coupled gates or other activations is not carried.",
            "Other formats can carry it: --to onnx,savedmodel",
            kind="unsupported-operator",
        )
    directions = 2 if direction == "bidirectional" else 1
    units = int(r.shape[2])  # of a weight: the same for every call, also while tracing
    weights = []
    for place in range(directions):
        weights += [w[place], r[place]]
        weights += list(b[place].chunk(2)) if b is not None else []
    zeros = x.new_zeros([directions, x.shape[1], units])
    states = [zeros if state is None else state for state in (initial_h, initial_c)]
    is_reversed = direction == "reverse"
    steps = x.flip(0) if is_reversed else x
    sequence, hidden, cell = torch.lstm(steps, states, weights, b is not None, 1, 0.0, False, directions == 2, False)
    sequence = sequence.flip(0) if is_reversed else sequence
    whole = sequence.unflatten(2, [directions, units]).transpose(1, 2)
    return whole if outputs == 1 else (whole, hidden, cell)[:outputs]
