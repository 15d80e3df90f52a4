"""How a tensor of one graph lies in another: the same elements under other axes, or in another shape."""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from isoform.core.cases import Array

_MOST_AXES = 5
_EXACT = 1e-9


@dataclass(frozen=True)
class Arrangement:
    """``axes`` of the one in the order of the other, those of size one left out where the numbers of axes differ.

    Without axes only the shape changes.
    """

    axes: tuple[int, ...] = ()

    def __call__(self, array: Array, shape: tuple[int, ...]) -> Array:
        """Return ``array`` as the other graph has it.

        Raises:
            ValueError: it has another number of axes than when the arrangement was found.
        """
        if not self.axes:
            return array.reshape(shape)
        return (array if array.ndim == len(self.axes) else array.squeeze()).transpose(self.axes).reshape(shape)

    @property
    def inverse(self) -> "Arrangement":
        return Arrangement(tuple(int(axis) for axis in np.argsort(self.axes)))

    @property
    def is_usual(self) -> bool:
        """Tell whether axes move only as channels do, from behind to the front or back: no two others are swapped."""
        kept = [axis for axis in self.axes if axis != 0]
        rotations = [kept[place:] + kept[:place] for place in range(len(kept))]
        return not kept or sorted(kept) in rotations


def best(one: Array, other: Array) -> tuple[Arrangement, float]:
    """Return how ``one`` comes nearest to ``other``, which has as many elements, and the RMS of what is left."""
    found = [(Arrangement(), _distance(one.reshape(other.shape), other))]
    scale = _distance(other, np.zeros((), other.dtype))
    if found[0][1] <= _EXACT * scale:
        return found[0]
    flat, target = (one, other) if one.ndim == other.ndim else (one.squeeze(), other.squeeze())
    if 2 <= flat.ndim <= _MOST_AXES and flat.ndim == target.ndim:
        for axes in permutations(range(flat.ndim)):
            if axes != tuple(range(flat.ndim)) and tuple(flat.shape[axis] for axis in axes) == target.shape:
                found.append((Arrangement(axes), _distance(flat.transpose(axes), target)))
    return min(found, key=lambda each: each[1])


def likeness(one: Array, other: Array) -> float:
    """Return the cosine between two tensors as they come nearest to each other; at least half of that between their
    sorted elements, as what is shifted by one place may have nothing else in common.
    """
    lying = best(one, other)[0](one, other.shape).astype(np.float64).ravel()
    known = other.astype(np.float64).ravel()
    is_finite = np.isfinite(lying) & np.isfinite(known)
    lying, known = lying[is_finite], known[is_finite]
    return max(_cosine(lying, known), _cosine(np.sort(lying), np.sort(known)) / 2)


def _cosine(one: Array, other: Array) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else 0.0


def _distance(one: Array, other: Array) -> float:
    difference = one.astype(np.float64) - other.astype(np.float64)
    difference = difference[np.isfinite(difference)]
    return math.sqrt(float(np.mean(np.square(difference)))) if difference.size else 0.0
