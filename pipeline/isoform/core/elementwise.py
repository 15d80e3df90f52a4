"""Which parameters are in an export as a function of each of their elements: ``-x``, ``1/x``, ``sqrt(x)``, its inverse.

Compilers of graphs subtract by adding, divide by multiplying, and compute the root of a variance once and for all. Such
a parameter counts as found where all its elements are there so, up to the rounding of float32.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.near import NearIndex

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


def elementwise_parameters(missing: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return the parameters among ``missing`` that are there so, each with the tensor that holds them.

    Vectors alone are looked for, and none of one number throughout: it would be found in a constant of the graph.
    """
    wanted = {name: array for name, array in missing.items() if array.dtype == np.float32 and _is_vector(array)}
    found: dict[str, tuple[str, ...]] = {}
    if wanted:
        index = NearIndex(export)
        tensors = {name: next(filter(None, map(index.find, _functions(array))), None) for name, array in wanted.items()}
        found = {name: (tensor,) for name, tensor in tensors.items() if tensor}
    return found


def _is_vector(array: Array) -> bool:
    return array.squeeze().ndim == 1 and bool(np.any(array != array.flat[0]))


def _functions(array: Array) -> Iterator[Array]:
    wide = array.astype(np.float64)
    yield -wide
    if np.all(wide != 0):
        yield 1 / wide
    if np.all(wide > 0):
        yield np.sqrt(wide)
        yield 1 / np.sqrt(wide)
