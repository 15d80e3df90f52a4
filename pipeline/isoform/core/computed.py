"""Which parameters are in an export through what is computed from them alone, and from constants.

A conversion may compute the exponential of a learned scale, or join the biases of queries and values with zeros, once
and for all. Such a parameter counts as found where each of these results is there, up to the rounding of float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.fingerprint import Index
from isoform.core.near import NearIndex
from isoform.core.pieces import split_parameters

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Derived:
    """A value that follows from a parameter and from constants.

    Attributes:
        meets_inputs: something that depends on the inputs reads it, or it is an output: no later result stands for it.
        results: what is computed from it in the next step.
    """

    array: Array
    meets_inputs: bool
    results: tuple["Derived", ...] = ()


def computed_parameters(
    missing: Weights, derived: Mapping[str, Sequence[Derived]], export: Weights
) -> dict[str, tuple[str, ...]]:
    """Return those of ``missing`` of which the export holds all that follows, each with the tensors that do.

    A conversion may stop computing at any step: where a value is there, what is computed from it need not be.

    Args:
        derived: by parameter, what is computed from it next (isoform/hub/derived.py).
    """
    wanted = {name: derived[name] for name in missing if derived.get(name)}
    if not wanted:
        return {}
    search = _Search(export)
    found = {name: [search.tensors(value) for value in values] for name, values in wanted.items()}
    return {name: tuple(dict.fromkeys(sum(tensors, ()))) for name, tensors in found.items() if all(tensors)}


class _Search:
    """Finds values among the tensors of an export, or all that follows from them."""

    def __init__(self, export: Weights) -> None:
        self._export = export
        self._index, self._near = Index(export), NearIndex(export)

    def tensors(self, value: Derived) -> tuple[str, ...]:
        """Return the tensors that stand for ``value``; none where a part of it is nowhere."""
        holders = self._holders(value.array)
        if holders or value.meets_inputs:
            return holders
        parts = [self.tensors(result) for result in value.results]
        return tuple(dict.fromkeys(sum(parts, ()))) if all(parts) else ()

    def _holders(self, array: Array) -> tuple[str, ...]:
        exact = self._index.arrangements(array)
        if exact or array.dtype != np.float32:
            return exact
        rounded = self._near.find(array)
        return (rounded,) if rounded else split_parameters({"": array}, self._export).get("", ())
