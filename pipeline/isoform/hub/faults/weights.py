"""Faults in one weight, whatever file holds it: stale, rounded, dropped, misplaced. Pure: arrays in, an array out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isoform.core.protocols import Array


@dataclass(frozen=True)
class Weight:
    """A float32 weight of a layer, as a file has it.

    Attributes:
        is_kernel: whether inputs are multiplied by it; else it is a vector that is added.
        channels: the axis of the outputs.
        window: the axes of height and width, of a kernel that has them.
        gates: how many gates a recurrent kernel holds, and the axis along which they lie.
    """

    name: str
    array: Array
    is_kernel: bool = True
    channels: int = 0
    window: tuple[int, int] | None = None
    gates: tuple[int, int] | None = None


Change = Callable[[Sequence[Weight], np.random.Generator], tuple[str, Array] | None]
"""Returns the name of the weight that was drawn and what it becomes; None where there is no such weight."""
WEIGHT_FAULTS: dict[str, Change] = {}


def _named(change: Change) -> Change:
    WEIGHT_FAULTS[change.__name__.replace("_", " ")] = change
    return change


@_named
def one_weight_off_by_a_thousandth(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    def change(weight: Weight) -> Array:
        array = weight.array.copy()
        array.flat[int(np.abs(array).argmax())] *= 1.001
        return array

    return _changed(_kernels(weights), rng, change)


@_named
def a_layer_rounded_to_fp16(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    return _changed(_kernels(weights), rng, lambda weight: weight.array.astype(np.float16).astype(np.float32))


@_named
def stale_weights(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    """Change a kernel as a later step of training does: every element, by about a hundredth."""
    return _changed(_kernels(weights), rng, lambda each: each.array * (1 + 0.01 * rng.normal(size=each.array.shape)))


@_named
def a_zeroed_channel(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    def change(weight: Weight) -> Array:
        array = weight.array.copy()
        rows = np.moveaxis(array, weight.channels, 0)  # a view
        rows[int(np.abs(rows).reshape(len(rows), -1).max(1).argmax())] = 0
        return array

    return _changed(_kernels(weights), rng, change)


@_named
def two_swapped_channels(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    def change(weight: Weight) -> Array:
        array = weight.array.copy()
        rows = np.moveaxis(array, weight.channels, 0)
        rows[[0, 1]] = rows[[1, 0]]
        return array

    return _changed([each for each in _kernels(weights) if each.array.shape[each.channels] > 1], rng, change)


@_named
def a_dropped_bias(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    biases = [weight for weight in weights if not weight.is_kernel and weight.array.any()]
    return _changed(biases, rng, lambda weight: np.zeros_like(weight.array))


@_named
def height_and_width_swapped(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    def is_square(weight: Weight) -> bool:
        sizes = [weight.array.shape[axis] for axis in weight.window or ()]
        return len(sizes) == 2 and 1 < sizes[0] == sizes[1]

    square = [weight for weight in weights if is_square(weight)]
    return _changed(square, rng, lambda weight: np.swapaxes(weight.array, *(weight.window or ())))


@_named
def two_swapped_gates(weights: Sequence[Weight], rng: np.random.Generator) -> tuple[str, Array] | None:
    def change(weight: Weight) -> Array:
        assert weight.gates is not None
        first, second, *others = np.split(weight.array, *weight.gates)
        return np.concatenate([second, first, *others], axis=weight.gates[1])

    return _changed([weight for weight in weights if weight.gates is not None], rng, change)


def _kernels(weights: Sequence[Weight]) -> list[Weight]:
    return [weight for weight in weights if weight.is_kernel]


def _changed(
    weights: Sequence[Weight], rng: np.random.Generator, change: Callable[[Weight], Array]
) -> tuple[str, Array] | None:
    """Change one of ``weights``, whichever ``rng`` draws; None if that makes no difference."""
    if not weights:
        return None
    weight = weights[int(rng.integers(len(weights)))]
    after = np.ascontiguousarray(change(weight).astype(weight.array.dtype))
    return None if np.array_equal(weight.array, after) else (weight.name, after)
