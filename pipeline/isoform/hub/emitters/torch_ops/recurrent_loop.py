"""Recurrent layers step by step, for what PyTorch's kernels lack: clipping, lengths, other activations.

While tracing, these functions are scripted, so that a loop over a dynamic length stays a loop. Gates stand in PyTorch's
order. x [length, batch, feature], mask [length, batch, 1], states [batch, unit].
"""

import torch
from torch import Tensor

ACTIVATIONS = frozenset({"sigmoid", "tanh", "relu", "softsign", "softplus"})


def masks(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return True where a step lies within its row's length."""
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)  # [length, 1]
    inside = torch.ones_like(steps, dtype=torch.bool) if lengths is None else steps < lengths
    return inside.expand(x.shape[0], x.shape[1]).unsqueeze(2)


def reversed_rows(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return x with the steps of each row in reverse order, what lies beyond its length left in place."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    index = torch.where(steps < lengths, lengths - 1 - steps, steps).to(torch.int64)
    return x.gather(0, index.unsqueeze(2).expand(x.shape))


def activated(x: Tensor, name: str, clip: float) -> Tensor:
    if clip > 0:
        x = torch.clamp(x, -clip, clip)
    if name == "sigmoid":
        x = torch.sigmoid(x)
    elif name == "tanh":
        x = torch.tanh(x)
    elif name == "relu":
        x = torch.relu(x)
    elif name == "softsign":
        x = x / (1 + x.abs())
    else:
        x = torch.logaddexp(x, torch.zeros_like(x))
    return x


@torch.jit.script_if_tracing
def gru(
    x: Tensor, mask: Tensor, h: Tensor, w: Tensor, r: Tensor, b: Tensor,
    clip: float, linear_before_reset: bool, f: str, g: str,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return y [length, batch, unit] and the last state."""
    units = h.shape[1]
    of_input, of_state = b[: b.shape[0] // 2], b[b.shape[0] // 2 :]
    y = []
    for step in range(x.shape[0]):
        reset_x, update_x, new_x = (x[step] @ w.t() + of_input).chunk(3, 1)
        reset_h, update_h, new_h = (h @ r.t() + of_state).chunk(3, 1)
        reset = activated(reset_x + reset_h, f, clip)
        update = activated(update_x + update_h, f, clip)
        if linear_before_reset:
            new = activated(new_x + reset * new_h, g, clip)
        else:
            new = activated(new_x + (reset * h) @ r[2 * units :].t() + of_state[2 * units :], g, clip)
        hidden = (1 - update) * new + update * h
        h = torch.where(mask[step], hidden, h)
        y.append(torch.where(mask[step], hidden, torch.zeros_like(hidden)))
    return torch.stack(y), h


@torch.jit.script_if_tracing
def rnn(
    x: Tensor, mask: Tensor, h: Tensor, w: Tensor, r: Tensor, b: Tensor, clip: float, f: str
) -> tuple[Tensor, Tensor]:
    """Return y [length, batch, unit] and the last state."""
    b = b[: b.shape[0] // 2] + b[b.shape[0] // 2 :]
    y = []
    for step in range(x.shape[0]):
        hidden = activated(x[step] @ w.t() + h @ r.t() + b, f, clip)
        h = torch.where(mask[step], hidden, h)
        y.append(torch.where(mask[step], hidden, torch.zeros_like(hidden)))
    return torch.stack(y), h
