"""GRU and the plain recurrent layer: PyTorch's own kernels where they fit, else a loop that stays a loop when traced.

GRU weights are brought into PyTorch's order of gates beforehand. Shapes follow ONNX: x [length, batch, feature], y
[length, direction, batch, unit]; with ``layout=1`` the batch comes first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops import recurrent_loop as loop
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
    *, outputs: int, hidden_size: int, direction: str = "forward", layout: int = 0, clip: float = 0.0,
    linear_before_reset: int = 0, activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None, activation_beta: Sequence[float] | None = None,
    output_sequence: int = 1,
) -> Any:  # fmt: skip
    """Return y, and where asked for the last hidden state."""
    count = w.shape[0]
    x, h = (_length_first(tensor, layout) for tensor in (x, initial_h))
    h = _zeros(x, count, hidden_size) if h is None else h
    names = _lower(activations, ("sigmoid", "tanh"), count)
    if set(names) == {("sigmoid", "tanh")} and lengths is None and not clip and linear_before_reset:
        y, hs = _kernel(torch.gru, x, h, w, r, b, direction)
    else:
        _refuse_scales("GRU", activation_alpha, activation_beta)
        bias = w.new_zeros(count, 6 * hidden_size) if b is None else b

        def one(step: int, data: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
            f, g = names[step]
            return loop.gru(data, mask, h[step], w[step], r[step], bias[step], clip, bool(linear_before_reset), f, g)

        y, hs = _directions(one, x, loop.masks(x, lengths), lengths, direction)
    return tuple(_batch_first((y, hs), layout)[:outputs]) if outputs > 1 else _batch_first((y,), layout)[0]


@op("RNN")
def rnn(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    *, outputs: int, hidden_size: int, direction: str = "forward", layout: int = 0, clip: float = 0.0,
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, output_sequence: int = 1,
) -> Any:  # fmt: skip
    """Return y, and where asked for the last hidden state."""
    count = w.shape[0]
    x, h = (_length_first(tensor, layout) for tensor in (x, initial_h))
    h = _zeros(x, count, hidden_size) if h is None else h
    names = _lower(activations, ("tanh",), count)
    kernel = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}.get(names[0][0])
    if kernel is not None and len(set(names)) == 1 and lengths is None and not clip:
        y, hs = _kernel(kernel, x, h, w, r, b, direction)
    else:
        _refuse_scales("RNN", activation_alpha, activation_beta)
        bias = w.new_zeros(count, 2 * hidden_size) if b is None else b

        def one(step: int, data: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
            return loop.rnn(data, mask, h[step], w[step], r[step], bias[step], clip, names[step][0])

        y, hs = _directions(one, x, loop.masks(x, lengths), lengths, direction)
    return tuple(_batch_first((y, hs), layout)[:outputs]) if outputs > 1 else _batch_first((y,), layout)[0]


def _kernel(
    kernel: Callable[..., Any], x: Tensor, state: Any, w: Tensor, r: Tensor, b: Tensor | None, direction: str
) -> tuple[Tensor, ...]:
    """Return y and the last states from one of PyTorch's own recurrent kernels."""
    count = w.shape[0]
    x = x.flip(0) if direction == "reverse" else x
    parameters = []
    for index in range(2 if direction == "bidirectional" else 1):
        parameters += [w[index], r[index]] if b is None else [w[index], r[index], *b[index].chunk(2)]
    results = kernel(x, state, parameters, b is not None, 1, 0.0, False, direction == "bidirectional", False)
    y = results[0].unflatten(2, (count, -1)).transpose(1, 2)  # [length, direction, batch, unit]
    return (y.flip(0) if direction == "reverse" else y, *results[1:])


def _directions(
    one: Callable[[int, Tensor, Tensor], tuple[Tensor, ...]], x: Tensor, masks: Tensor, lengths: Tensor | None,
    direction: str,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Return y and the last states of a loop in each direction; each row is reversed within its own length."""
    results = []
    for index, is_reverse in enumerate({"forward": [False], "reverse": [True]}.get(direction, [False, True])):
        y, *states = one(index, loop.reversed_rows(x, lengths) if is_reverse else x, masks)
        results.append((loop.reversed_rows(y, lengths) if is_reverse else y, *states))
    y, *last = zip(*results, strict=True)
    return (torch.stack(y, 1), *(torch.stack(state) for state in last))


def _length_first(tensor: Tensor | None, layout: int) -> Any:
    return tensor.transpose(0, 1) if tensor is not None and layout else tensor


def _batch_first(tensors: Sequence[Tensor], layout: int) -> list[Tensor]:
    """Return y [length, direction, batch, unit] and states [direction, batch, unit] as ``layout`` wants them."""
    if not layout:
        return list(tensors)
    return [tensor.permute(2, 0, 1, 3) if tensor.dim() == 4 else tensor.transpose(0, 1) for tensor in tensors]


def _zeros(x: Tensor, count: Any, units: int) -> Tensor:
    return x.new_zeros(count, x.shape[1], units)


def _lower(names: Sequence[str] | None, default: tuple[str, ...], count: Any) -> list[tuple[str, ...]]:
    """Return the activations of each direction, in lower case."""
    if not names:
        return [default] * int(count)
    size = len(default)
    lower = [name.lower() for name in names]
    unknown = set(lower) - loop.ACTIVATIONS
    if unknown:
        raise IsoformError(
            f"A recurrent layer with the activation {', '.join(sorted(unknown))} has no PyTorch form here.",
            "Known are: " + ", ".join(sorted(loop.ACTIVATIONS)) + ".",
            kind="unsupported-operator",
        )
    return [tuple(lower[start : start + size]) for start in range(0, len(lower), size)]


def _refuse_scales(name: str, alpha: Sequence[float] | None, beta: Sequence[float] | None) -> None:
    if alpha or beta:
        raise IsoformError(
            f"{name} with scaled activations has no PyTorch form here.",
            "Export it to ONNX or TorchScript from its own framework.",
            kind="unsupported-operator",
        )
