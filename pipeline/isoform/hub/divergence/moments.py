"""Moments of tensors, which do not depend on an order: equal ones say which tensors of two graphs may be equal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from isoform.core.cases import Array, Tensors

LARGEST_HELD_BYTES = 256 << 20
_LARGEST = 1e30
_SIZES = 8
"""Integers in one row, as many at most, are sizes and axes: graphs compute them in their own ways, or not at all."""


class Shown(Protocol):
    """A graph whose every tensor can be looked at."""

    def run(self, case: Tensors, observe: Callable[[str, Array], None]) -> None:
        """Compute one case; ``observe`` is called with the name of each tensor and what it holds."""


def largest_first(cases: Sequence[Tensors]) -> list[Tensors]:
    """Return cases by size: where an axis has one element, tensors lie in each other in more than one way."""
    return sorted(cases, key=lambda case: -sum(array.size for array in case.values()))


def moments(graph: Shown, cases: Sequence[Tensors], sizes: set[str]) -> dict[str, Array]:
    """Return by tensor, for each case, its size, RMS, mean, mean magnitude, largest and smallest element.

    Args:
        sizes: gets the names of tensors that are a few integers.
    """
    rows: dict[str, list[list[float]]] = {}
    for case in cases:

        def observe(name: str, array: Array) -> None:
            rows.setdefault(name, []).append(_described(array))
            if array.dtype.kind in "iub" and array.ndim <= 1 and array.size <= _SIZES:
                sizes.add(name)

        graph.run(case, observe)
    return {name: np.array(found) for name, found in rows.items() if len(found) == len(cases)}


def distances(known: Array, rows: Array) -> Array:
    """Return how far the moments of each known tensor are from ``rows`` in the worst case, relative to its RMS."""
    scale = np.maximum(known[:, :, 1:2], 1e-300)
    found: Array = (np.abs(known[:, :, 1:] - rows[None, :, 1:]) / scale).max(axis=(1, 2))
    return found


def element_counts(rows: Array) -> tuple[int, ...]:
    """Return how many elements a tensor has in each case."""
    return tuple(int(size) for size in rows[:, 0])


def chunks(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield tensors, by their numbers of elements, a few at a time: as many as may be held in float64."""
    chunk: list[str] = []
    held = 0
    for name, size in sizes.items():
        if chunk and held + 8 * size > LARGEST_HELD_BYTES:
            yield chunk
            chunk, held = [], 0
        chunk.append(name)
        held += 8 * size
    if chunk:
        yield chunk


def _described(array: Array) -> list[float]:
    values = array.astype(np.float64).ravel()
    values = values[np.abs(values) < _LARGEST]  # neither NaN nor masks
    if not values.size:
        return [float(array.size), 0.0, 0.0, 0.0, 0.0, 0.0]
    rms = float(np.sqrt(np.mean(np.square(values))))
    return [float(array.size), rms, float(values.mean()), float(np.abs(values).mean()), float(values.max()),
            float(values.min())]  # fmt: skip
