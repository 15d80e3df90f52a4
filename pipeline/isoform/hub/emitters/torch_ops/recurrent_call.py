"""What LSTM, GRU and the plain recurrent layer share: kernels, directions, layouts, activations, sizes ONNX' way.

x is [length, batch, feature], y [length, direction, batch, unit], a state [direction, batch, unit]; with ``layout=1``
the batch comes first in all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops import recurrent_loop as loop
from isoform.hub.emitters.torch_ops.table import Tensor

Activations = tuple[tuple[str, ...], tuple[float, ...]]
"""Names, and alpha and beta of each in a row."""
_BACKWARDS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}


def kernel(
    function: Callable[..., Any], x: Tensor, state: Any, w: Tensor, r: Tensor, b: Tensor | None, direction: str
) -> tuple[Tensor, ...]:
    """Return y and the last states from one of PyTorch's own recurrent kernels."""
    count = int(w.shape[0])  # of a weight: the same for every call, also while tracing
    x = x.flip(0) if direction == "reverse" else x
    parameters = []
    for index in range(count):
        parameters += [w[index], r[index]] if b is None else [w[index], r[index], *b[index].chunk(2)]
    results = function(x, state, parameters, b is not None, 1, 0.0, False, direction == "bidirectional", False)
    y = results[0].unflatten(2, (count, int(r.shape[2]))).transpose(1, 2)
    return (y.flip(0) if direction == "reverse" else y, *results[1:])


def directions(
    one: Callable[[int, Tensor, Tensor], tuple[Tensor, ...]], x: Tensor, lengths: Tensor | None, direction: str
) -> tuple[Tensor, ...]:
    """Return y and the last states of a loop in each direction; each row is reversed within its own length.

    Args:
        one: takes the number of the direction, x, and where a step lies within its row.
    """
    masks = loop.masks(x, lengths)
    results = []
    for index, is_reverse in enumerate(_BACKWARDS[direction]):
        y, *states = one(index, loop.reversed_rows(x, lengths) if is_reverse else x, masks)
        results.append((loop.reversed_rows(y, lengths) if is_reverse else y, *states))
    y, *last = zip(*results, strict=True)
    return (_stacked(y, 1), *(_stacked(state, 0) for state in last))


def _stacked(tensors: Sequence[Tensor], axis: int) -> Tensor:
    return tensors[0].unsqueeze(axis) if len(tensors) == 1 else torch.stack(list(tensors), axis)


def length_first(tensor: Tensor | None, layout: int) -> Any:
    return tensor.transpose(0, 1) if tensor is not None and layout else tensor


def answer(results: Sequence[Tensor], layout: int, outputs: int) -> Any:
    """Return as many of y and the states as the node declares, as ``layout`` wants them."""
    if layout:
        results = [each.permute(2, 0, 1, 3) if each.dim() == 4 else each.transpose(0, 1) for each in results]
    return tuple(results[:outputs]) if outputs > 1 else results[0]


def initial(state: Tensor | None, x: Tensor, count: int, units: int) -> Tensor:
    """Return a state to begin with: zeros where none is given."""
    return x.new_zeros(count, x.shape[1], units) if state is None else state


def activations(
    names: Sequence[str] | None, default: tuple[str, ...], count: int,
    alpha: Sequence[float] | None, beta: Sequence[float] | None,
) -> list[Activations]:  # fmt: skip
    """Return the activations of each direction, each with its scales: given ones are used up in order.

    Raises:
        IsoformError: an activation that ONNX does not name.
    """
    lower = [name.lower() for name in names] if names else list(default) * count
    alphas, betas = list(alpha or []), list(beta or [])
    scales: list[float | None] = []
    for name in lower:
        if name not in loop.SCALES:
            raise IsoformError(
                f"A recurrent layer with the activation '{name}' has no PyTorch form here.",
                "Known are: " + ", ".join(sorted(loop.SCALES)) + ".",
                kind="unsupported-operator",
            )
        usual_alpha, usual_beta = loop.SCALES[name]
        scales.append(usual_alpha if usual_alpha is None or not alphas else alphas.pop(0))
        scales.append(usual_beta if usual_beta is None or not betas else betas.pop(0))
    size = len(default)
    plain = [0.0 if scale is None else scale for scale in scales]
    return [
        (tuple(lower[start : start + size]), tuple(plain[2 * start : 2 * (start + size)]))
        for start in range(0, len(lower), size)
    ]
