"""Which parameters are in an export joined with others, as the biases of queries, keys and values in one tensor.

A parameter counts as found where a tensor that is larger holds it bit for bit, in one run of rows along an axis.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


def joined_parameters(missing: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return the parameters among ``missing`` that are rows of a tensor of ``export``, each with that tensor.

    A parameter of one number throughout is not looked for: it would be found in any filling.
    """
    found = {}
    for name, array in missing.items():
        if array.ndim and array.dtype.kind == "f" and np.any(array != array.flat[0]):
            holders = tuple(other for other, tensor in export.items() if _has_rows(tensor, array))
            if holders:
                found[name] = holders
    return found


def _has_rows(tensor: Array, array: Array) -> bool:
    if tensor.dtype != array.dtype or tensor.size <= array.size or tensor.size % array[0].size:
        return False
    return any(
        _begins(np.moveaxis(tensor, axis, 0).reshape(size, -1), np.moveaxis(array, other, 0).reshape(count, -1))
        for axis, size in enumerate(tensor.shape)
        for other, count in enumerate(array.shape)
        if size > count and tensor.size // size == array.size // count
    )


def _begins(rows: Array, wanted: Array) -> bool:
    """Return whether ``wanted`` is a run of ``rows``, both of one width."""
    starts = np.flatnonzero(rows[: len(rows) - len(wanted) + 1, 0] == wanted[0, 0])
    return any(np.array_equal(rows[start : start + len(wanted)], wanted) for start in starts)
