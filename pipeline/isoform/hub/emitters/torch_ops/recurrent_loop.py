"""Recurrent layers step by step, for what PyTorch's kernels lack: clipping, lengths, peepholes, other activations.

While tracing, these functions are scripted, so that a loop over a dynamic length stays a loop. Gates stand in PyTorch's
order. x [length, batch, feature], mask [length, batch, 1], states [batch, unit].
"""

import torch
from torch import Tensor

SCALES: dict[str, tuple[float | None, float | None]] = {
    "affine": (1.0, 0.0),
    "elu": (1.0, None),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, None),
    "relu": (None, None),
    "scaledtanh": (1.0, 1.0),
    "sigmoid": (None, None),
    "softplus": (None, None),
    "softsign": (None, None),
    "tanh": (None, None),
    "thresholdedrelu": (1.0, None),
}
"""Activations, with the alpha and beta that hold where none are given; None for those that have none."""


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


def activated(x: Tensor, place: int, names: list[str], scales: list[float], clip: float) -> Tensor:
    """Return the activation ``names[place]`` of x, which is clipped before."""
    name, alpha, beta = names[place], scales[2 * place], scales[2 * place + 1]
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
    elif name == "softplus":
        x = torch.logaddexp(x, torch.zeros_like(x))
    elif name == "affine":
        x = alpha * x + beta
    elif name == "elu":
        x = torch.where(x >= 0, x, alpha * torch.expm1(x))
    elif name == "hardsigmoid":
        x = torch.clamp(alpha * x + beta, 0.0, 1.0)
    elif name == "leakyrelu":
        x = torch.where(x >= 0, x, alpha * x)
    elif name == "scaledtanh":
        x = alpha * torch.tanh(beta * x)
    else:
        x = torch.where(x > alpha, x, torch.zeros_like(x))
    return x


@torch.jit.script_if_tracing
def lstm(
    x: Tensor, mask: Tensor, h: Tensor, c: Tensor, w: Tensor, r: Tensor, b: Tensor, p: Tensor,
    clip: float, input_forget: bool, names: list[str], scales: list[float],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return y [length, batch, unit] and the last states.

    Args:
        p: [3 units], the peepholes of the input, output and forget gates.
    """
    b = b[: b.shape[0] // 2] + b[b.shape[0] // 2 :]
    p_in, p_out, p_forget = p.chunk(3)
    y = []
    for step in range(x.shape[0]):
        gate_in, gate_forget, gate_cell, gate_out = (x[step] @ w.t() + h @ r.t() + b).chunk(4, 1)
        inward = activated(gate_in + p_in * c, 0, names, scales, clip)
        kept = 1 - inward if input_forget else activated(gate_forget + p_forget * c, 0, names, scales, clip)
        cell = kept * c + inward * activated(gate_cell, 1, names, scales, clip)
        outward = activated(gate_out + p_out * cell, 0, names, scales, clip)
        hidden = outward * activated(cell, 2, names, scales, 0.0)  # ONNX Runtime clips gates, never the cell
        h, c = torch.where(mask[step], hidden, h), torch.where(mask[step], cell, c)
        y.append(torch.where(mask[step], hidden, torch.zeros_like(hidden)))
    return torch.stack(y), h, c


@torch.jit.script_if_tracing
def gru(
    x: Tensor, mask: Tensor, h: Tensor, w: Tensor, r: Tensor, b: Tensor,
    clip: float, linear_before_reset: bool, names: list[str], scales: list[float],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return y [length, batch, unit] and the last state."""
    units = h.shape[1]
    of_input, of_state = b[: b.shape[0] // 2], b[b.shape[0] // 2 :]
    y = []
    for step in range(x.shape[0]):
        reset_x, update_x, new_x = (x[step] @ w.t() + of_input).chunk(3, 1)
        reset_h, update_h, new_h = (h @ r.t() + of_state).chunk(3, 1)
        reset = activated(reset_x + reset_h, 0, names, scales, clip)
        update = activated(update_x + update_h, 0, names, scales, clip)
        if linear_before_reset:
            new = new_x + reset * new_h
        else:
            new = new_x + (reset * h) @ r[2 * units :].t() + of_state[2 * units :]
        hidden = (1 - update) * activated(new, 1, names, scales, clip) + update * h
        h = torch.where(mask[step], hidden, h)
        y.append(torch.where(mask[step], hidden, torch.zeros_like(hidden)))
    return torch.stack(y), h


@torch.jit.script_if_tracing
def rnn(
    x: Tensor, mask: Tensor, h: Tensor, w: Tensor, r: Tensor, b: Tensor,
    clip: float, names: list[str], scales: list[float],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return y [length, batch, unit] and the last state."""
    b = b[: b.shape[0] // 2] + b[b.shape[0] // 2 :]
    y = []
    for step in range(x.shape[0]):
        hidden = activated(x[step] @ w.t() + h @ r.t() + b, 0, names, scales, clip)
        h = torch.where(mask[step], hidden, h)
        y.append(torch.where(mask[step], hidden, torch.zeros_like(hidden)))
    return torch.stack(y), h
