"""Which parameters are in an export as rows that were gathered: a table of biases by distance, one for each pair.

What a window of attention adds to its scores is read from such a table at indices that never change, and a converter
may have read it. A table counts as found where, channel by channel, the export holds its values, all of them and no
other, bit for bit; at which places is left to the outputs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

_MOST_REPEATS = 512
"""How often a row is read at most: a window of 16 by 16 reads each of its 961 rows 68 times."""


def gathered_parameters(missing: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return the tables among ``missing`` that are there gathered, each with the tensor that holds its rows."""
    found = {}
    for name, table in missing.items():
        if table.ndim == 2 and np.any(table != table.flat[0]):  # else any tensor of one number would do
            holders = [other for other, tensor in export.items() if _is_gathered(table, tensor)]
            if holders:
                found[name] = tuple(holders)
    return found


def _is_gathered(table: Array, tensor: Array) -> bool:
    is_larger = table.size < tensor.size <= table.size * _MOST_REPEATS
    if not is_larger or table.dtype != tensor.dtype or tensor.min() != table.min() or tensor.max() != table.max():
        return False
    return any(
        _same_channels(np.moveaxis(table, axis, 0), moved)
        for axis, channels in enumerate(table.shape)
        for moved in _by_channel(tensor, channels)
    )


def _by_channel(tensor: Array, channels: int) -> list[Array]:
    """Return ``tensor`` with each axis of that size first."""
    if channels == 1:
        return [tensor[None]]
    return [np.moveaxis(tensor, axis, 0) for axis, size in enumerate(tensor.shape) if size == channels]


def _same_channels(table: Array, tensor: Array) -> bool:
    return all(np.array_equal(np.unique(one), np.unique(other)) for one, other in zip(table, tensor, strict=True))
