"""Parameters that an export holds in pieces along one axis, as projections that were stored as one.

Attention keeps the matrices of queries, keys and values in one parameter; where they multiply different inputs, an
exporter splits it. Every piece has to be there bit for bit, each may be transposed, and together they are all of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

MOST_PIECES = 8


def split_parameters(missing: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return the parameters among ``missing`` that tensors of ``export`` make up, in their order along an axis.

    A parameter of one number throughout is not looked for: any other such tensor would be a piece of it.
    """
    tensors = {name: array for name, array in export.items() if array.dtype.kind == "f" and array.size > 1}
    found = {}
    for name, array in missing.items():
        axes = [axis for axis, size in enumerate(array.shape) if size > 1 and np.any(array != array.flat[0])]
        for axis in axes:
            names = _pieces(np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1), 0, tensors, MOST_PIECES)
            if names:
                found[name] = names
                break
    return found


def _pieces(rows: Array, begin: int, export: Weights, most: int) -> tuple[str, ...]:
    """Return the tensors, each another one, that hold the rows from ``begin`` on; none where some row is nowhere."""
    if not most:
        return ()
    for name, count in _holders(rows, begin, export):
        if begin + count == len(rows):
            return (name,)
        others = {key: tensor for key, tensor in export.items() if key != name}
        following = _pieces(rows, begin + count, others, most - 1)
        if following:
            return (name, *following)
    return ()


def _holders(rows: Array, begin: int, export: Weights) -> Iterator[tuple[str, int]]:
    """Yield each tensor that begins with the row at ``begin`` and goes on as the rows do, and how many it holds."""
    width = rows.shape[1]
    for name, tensor in export.items():
        count, rest = divmod(tensor.size, width)
        if rest or not 0 < count <= len(rows) - begin or tensor.dtype != rows.dtype:
            continue
        wanted = rows[begin : begin + count]
        if tensor.flat[0] != wanted[0, 0] or tensor.flat[-1] != wanted[-1, -1]:  # either way round
            continue
        as_it_is, transposed = tensor.reshape(count, width), tensor.reshape(width, count).T
        if np.array_equal(as_it_is, wanted) or np.array_equal(transposed, wanted):
            yield name, count
