"""Gate 1 behind a cast: is every weight of the float32 file in the other one, rounded exactly or as it was?

The float32 file is matched with the source as ever (core/matching.py); what explains a parameter there has to be found
here, each of its numbers the nearest that the smaller type has. Nothing is ever close enough. Not aware of files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.fingerprint import Index
from isoform.core.matching import SMALLEST_PARAMETER, UNEXPLAINED, Explanation

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


def rounded(array: Array, dtype: str) -> Array:
    """Return float32 numbers rounded to "float16" or "bfloat16", to nearest and half to even, as float32 again."""
    single = np.asarray(array, np.float32)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return single.astype(np.float16).astype(np.float32)
    bits = np.ascontiguousarray(single).view(np.uint32)
    up = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return np.where(np.isnan(single), single, (up & np.uint32(0xFFFF0000)).view(np.float32))


def through_rounding(
    explanations: Iterable[Explanation], before: Weights, export: Weights, dtype: str
) -> tuple[list[Explanation], list[str]]:
    """Return ``explanations``, whose tensors are those of ``before``, with where these are in ``export``.

    Also a finding for each tensor of the export, large enough to be a weight, that is none of ``before``.
    """
    there = {name: _widened(array) for name, array in export.items() if array.dtype.kind == "f" and array.size}
    search = _Search(before, Index(there), dtype)
    found = [_onward(entry, search) for entry in explanations]
    for name in before:
        search.holders(name)
    strange = [
        f"the tensor '{name}' is none of the float32 file, as it is or rounded to {dtype}"
        for name, array in there.items()
        if array.size > SMALLEST_PARAMETER and name not in search.used
    ]
    return found, strange


class _Search:
    """Finds tensors of the float32 file among those of the export; each is looked for once."""

    def __init__(self, before: Weights, index: Index, dtype: str) -> None:
        self._before, self._index, self._dtype = before, index, dtype
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.used: set[str] = set()

    def holders(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return how a tensor is there, and the names under which it is."""
        if name not in self._known:
            array = _widened(self._before[name])
            exact = self._index.arrangements(array)
            near = self._index.arrangements(rounded(array, self._dtype)) if array.dtype == np.float32 else ()
            both = tuple(dict.fromkeys((*exact, *near)))
            is_exact = set(near) <= set(exact)  # small whole numbers are what they are rounded to
            self._known[name] = ("exact" if is_exact else f"rounded to {self._dtype}", both)
            self.used.update(both)
        return self._known[name]


def _onward(entry: Explanation, search: _Search) -> Explanation:
    if not entry.tensors:
        return entry
    hows, tensors = zip(*(search.holders(name) for name in entry.tensors), strict=True)
    if not all(tensors):
        return replace(entry, how=UNEXPLAINED, tensors=())
    steps = [how for how in dict.fromkeys((entry.how, *hows)) if how != "exact"]
    return replace(entry, how=", ".join(steps) or "exact", tensors=tuple(dict.fromkeys(sum(tensors, ()))))


def _widened(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype == np.float16 else array
