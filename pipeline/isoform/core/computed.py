"""Which parameters are in an export through what is computed from them alone, and from constants.

A conversion may compute the exponential of a learned scale, or join the biases of queries and values with zeros, once
and for all. Such a parameter counts as found where each of these results is there, up to the rounding of float32.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.fingerprint import Index
from isoform.core.near import NearIndex
from isoform.core.pieces import split_parameters

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


def computed_parameters(
    missing: Weights, derived: Mapping[str, Sequence[Array]], export: Weights
) -> dict[str, tuple[str, ...]]:
    """Return those of ``missing`` whose every derived value the export holds, each with the tensors that do.

    Args:
        derived: by parameter, what the inputs meet of it (isoform/hub/derived.py).
    """
    wanted = {name: derived[name] for name in missing if derived.get(name)}
    if not wanted:
        return {}
    index, near = Index(export), NearIndex(export)
    found = {name: [_holders(value, export, index, near) for value in values] for name, values in wanted.items()}
    return {name: tuple(dict.fromkeys(sum(tensors, ()))) for name, tensors in found.items() if all(tensors)}


def _holders(value: Array, export: Weights, index: Index, near: NearIndex) -> tuple[str, ...]:
    exact = index.arrangements(value)
    if exact or value.dtype != np.float32:
        return exact
    rounded = near.find(value)
    return (rounded,) if rounded else split_parameters({"": value}, export).get("", ())
