"""Finding an array among an export's tensors, whatever the order of its axes, within the rounding of float32.

The first elements are compared before anything large is computed: a network has hundreds of tensors of each size.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ULPS = 4
"""Units in the last place that an export's own arithmetic may add: a batch normalisation folded step by step in float32
rounds v + e, its inverse root (by a unit), g times that and W times that: 4.5 half units, each up to a whole one."""
_HEAD = 8
_SMALLEST = 2.0**-12
"""Elements far below the largest one are rounded as if they were this much of it."""


class NearIndex:
    """The float32 tensors of an export, by size."""

    def __init__(self, export: Mapping[str, Array]) -> None:
        self._tensors: dict[int, list[tuple[str, Array]]] = {}
        for name, tensor in export.items():
            if tensor.dtype == np.float32 and tensor.size:
                self._tensors.setdefault(tensor.size, []).append((name, tensor.reshape(-1)))
        self._heads = {
            size: np.stack([flat[:_HEAD] for _, flat in group]).astype(np.float64)
            for size, group in self._tensors.items()
        }

    def find(self, value: Array, factor: Array | float = 1.0, terms: Array | None = None) -> str | None:
        """Return the tensor that is ``value * factor``, transposed or reshaped, within `ULPS` of float32 rounding.

        Args:
            factor: broadcast against ``value``.
            terms: for a sum, the sum of its terms' magnitudes: where they cancel, their rounding is what is left.
        """
        if value.size not in self._tensors:
            return None
        factors = np.broadcast_to(factor, value.shape)
        largest = float(np.abs(value).max() * np.abs(factor).max())
        product: Array | None = None
        for order in permutations(range(value.ndim)):
            places = _first_places(value.shape, order)
            head = value[places].astype(np.float64) * factors[places]
            sizes = head if terms is None else np.maximum(terms[places], np.abs(head))
            near = np.all(np.abs(self._heads[value.size] - head) <= 2 * slack(sizes, largest), axis=1)
            for index in np.flatnonzero(near):
                product = (value.astype(np.float64) * factors).astype(np.float32) if product is None else product
                name, flat = self._tensors[value.size][index]
                moved = product.transpose(order).reshape(-1)
                sizes = moved if terms is None else np.maximum(terms.transpose(order).reshape(-1), np.abs(moved))
                if np.all(np.abs(moved - flat) <= slack(sizes, float(np.abs(product).max()))):
                    return name
        return None


def slack(values: Array, largest: float) -> Array:
    """Return by how much each of ``values`` may be off, in a tensor whose largest magnitude is ``largest``."""
    found: Array = ULPS * (np.spacing(np.abs(values.astype(np.float32))) + np.spacing(np.float32(largest * _SMALLEST)))
    return found


@lru_cache(maxsize=4096)
def _first_places(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the index of the first elements of an array of ``shape`` when its axes stand in ``order``."""
    moved = tuple(shape[axis] for axis in order)
    count = min(_HEAD, int(np.prod(shape)))
    indices = np.unravel_index(np.arange(count), moved) if moved else ()
    return tuple(indices[order.index(axis)] for axis in range(len(shape)))
