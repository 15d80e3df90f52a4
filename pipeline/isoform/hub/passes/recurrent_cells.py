"""What one step of a recurrent operator computes, and which of them a step of a loop is.

A step is known by what it gives for numbers drawn at random: it is an analytic function of its inputs, so that two
different ones do not agree there. Weights are those of the loop, in Keras' order of gates: update, reset, candidate.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isoform.core.protocols import Array

Step = Callable[[Array, Array], Array]
"""From x [batch, features] and h [batch, units] to the next h."""
_TOLERANCE = 1e-5
_BATCH = 5
_SCALE = 0.5
_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@dataclass(frozen=True)
class Cell:
    """A recurrent operator's step with its weights.

    Attributes:
        kernel: [features, gates x units].
        recurrent: [units, gates x units].
        bias: [2, gates x units], of the input and of the state.
    """

    op_type: str
    kernel: Array
    recurrent: Array
    bias: Array
    activations: tuple[str, ...]
    is_reset_after: bool = False

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[0])

    def step(self, x: Array, h: Array) -> Array:
        given, kept = x @ self.kernel + self.bias[0], h @ self.recurrent + self.bias[1]
        if self.op_type == "RNN":
            return _ACTIVATIONS[self.activations[0]](given + kept)
        gate, activate = (_ACTIVATIONS[name] for name in self.activations)
        units = self.units
        z = gate(given[:, :units] + kept[:, :units])
        r = gate(given[:, units : 2 * units] + kept[:, units : 2 * units])
        if self.is_reset_after:
            candidate = given[:, 2 * units :] + r * kept[:, 2 * units :]
        else:
            candidate = given[:, 2 * units :] + (r * h) @ self.recurrent[:, 2 * units :] + self.bias[1, 2 * units :]
        return z * h + (1 - z) * activate(candidate)


def recognise(step: Step, weights: Sequence[Array], features: int, units: int) -> Cell | None:
    """Return the cell that computes what ``step`` does with ``weights``; None if it is none of these."""
    for cell in _candidates(weights):
        if (cell.kernel.shape[0], cell.units) != (features, units):
            continue
        rng = np.random.default_rng(0)
        x = rng.normal(0, _SCALE, (_BATCH, cell.kernel.shape[0])).astype(np.float32)
        h = rng.normal(0, _SCALE, (_BATCH, cell.units)).astype(np.float32)
        wanted, found = cell.step(x.astype(np.float64), h.astype(np.float64)), step(x, h)
        if wanted.shape == found.shape and np.allclose(wanted, found, rtol=_TOLERANCE, atol=_TOLERANCE):
            return cell
    return None


def _candidates(weights: Sequence[Array]) -> Iterator[Cell]:
    matrices = [array for array in weights if array.ndim == 2 and array.dtype == np.float32]
    for kernel, recurrent in itertools.permutations(matrices, 2):
        units, width = recurrent.shape
        if kernel.shape[1] != width or width not in (units, 3 * units):
            continue
        others = [array for array in weights if array is not kernel and array is not recurrent]
        bias = _bias(others, width)
        if bias is None:
            continue
        if width == units:
            yield from (Cell("RNN", kernel, recurrent, bias, (name,)) for name in _ACTIVATIONS)
        else:
            for name, is_after in itertools.product(_ACTIVATIONS, (True, False)):
                yield Cell("GRU", kernel, recurrent, bias, ("Sigmoid", name), is_after)


def _bias(others: Sequence[Array], width: int) -> Array | None:
    """Return the bias among ``others`` as [2, width]; zeros if there is none, None if there is more than one."""
    found = [array for array in others if array.size in (width, 2 * width) and array.dtype == np.float32]
    if not found:
        return np.zeros((2, width), np.float32)
    if len(found) > 1:
        return None
    (only,) = found
    return only.reshape(2, width) if only.size == 2 * width else np.stack([only.ravel(), np.zeros_like(only.ravel())])
