"""Weights that are no numbers: which of them hold NaN or infinities, the masks left out that hold these on purpose."""

from collections.abc import Iterable, Iterator

import numpy as np

from isoform.core.cases import Array

_CHUNK = 1 << 22
"""Numbers looked at together: what is found out of gigabytes must not take gigabytes."""


def nonfinite(weights: Iterable[tuple[str, Array]]) -> list[str]:
    """Return the names of the weights that hold NaN, or infinities and are no masks."""
    return [name for name, array in weights if array.dtype.kind in "fcV" and _is_wrong(array)]


def _is_wrong(array: Array) -> bool:
    if all(np.isfinite(chunk).all() for chunk in _chunks(array)):
        return False
    return any(np.isnan(chunk).any() for chunk in _chunks(array)) or not _is_mask(array)


def _is_mask(array: Array) -> bool:
    """Return whether ``array`` is zeros and infinities, or infinities alone, as a filling is."""
    return all(np.all((chunk == 0) | np.isinf(chunk)) for chunk in _chunks(array))


def _chunks(array: Array) -> Iterator[Array]:
    flat = array.reshape(-1)
    for begin in range(0, flat.size, _CHUNK):
        yield flat[begin : begin + _CHUNK]
