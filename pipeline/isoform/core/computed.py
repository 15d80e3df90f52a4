"""Which tensors of a graph on the way are in an export through what follows from them: computed, or folded.

A conversion may compute what depends on parameters and constants alone once and for all, as the exponential of a
learned scale, and multiply what scales or shifts channels (normalisations, scales of layers) into the layer beside it.
Such a tensor counts as found where, for everything that reads it, a result is there, up to the rounding of float32.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from isoform.core.fingerprint import Index
from isoform.core.near import NearIndex
from isoform.core.pieces import split_parameters

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Product:
    """``array * factor``, the factor broadcast; bit for bit ``array`` where there is none.

    Attributes:
        terms: for a sum, the sum of its terms' magnitudes: where they cancel, their rounding is what is left.
    """

    array: Array
    factor: Array | None = None
    terms: Array | None = None


@dataclass(frozen=True, eq=False)
class Fold:
    """What may stand for several steps that scale and shift channels, one layer with a kernel among them at most.

    Attributes:
        products: returns all that has to be there: a kernel or a scale, and a bias, where there are such. They are
            computed where something asks, and not kept: a network has as many folds as layers, mostly in vain.
    """

    products: Callable[[], tuple[Product, ...]]


@dataclass(frozen=True, eq=False)
class Derived:
    """A value that follows from constants alone, and what stands for it wherever it is read."""

    array: Array
    uses: "Uses"


Uses: TypeAlias = tuple[tuple[Derived | Fold, ...], ...]
"""By each thing that reads a value: what may stand for it there. Nothing does where it is read as it stands."""


def standing_for(wanted: Mapping[str, Uses], export: Weights) -> dict[str, tuple[str, ...]]:
    """Return those of ``wanted`` of which the export holds all that follows, each with the tensors that do.

    A conversion may stop computing at any step: where a value is there, what is computed from it need not be.

    Args:
        wanted: by name, what reads a tensor and what may stand for it there (isoform/hub/derived.py).
    """
    if not wanted:
        return {}
    search = _Search({name: _widened(array) for name, array in export.items()})
    found = {name: search.all(uses) for name, uses in wanted.items()}
    return {name: tensors for name, tensors in found.items() if tensors}


class _Search:
    """Finds values among the tensors of an export, or all that follows from them."""

    def __init__(self, export: Weights) -> None:
        self._export = export
        self._index, self._near = Index(export), NearIndex(export)
        self._known: dict[Derived | Fold, tuple[str, ...]] = {}

    def all(self, uses: Uses) -> tuple[str, ...]:
        """Return the tensors that stand for a value in all its ``uses``; none where one has no such tensor."""
        return _together(next(filter(None, map(self._tensors, alternatives)), ()) for alternatives in uses)

    def _tensors(self, item: Derived | Fold) -> tuple[str, ...]:
        if item not in self._known:
            self._known[item] = self._fold(item) if isinstance(item, Fold) else self._derived(item)
        return self._known[item]

    def _fold(self, fold: Fold) -> tuple[str, ...]:
        return _together(
            self._index.arrangements(product.array) if product.factor is None else self._rounded(product)
            for product in fold.products()
        )

    def _derived(self, value: Derived) -> tuple[str, ...]:
        return self._holders(value.array) or self.all(value.uses)

    def _holders(self, array: Array) -> tuple[str, ...]:
        array = _widened(array)
        exact = self._index.arrangements(array)
        if exact or array.dtype != np.float32:
            return exact
        return self._rounded(Product(array)) or split_parameters({"": array}, self._export).get("", ())

    def _rounded(self, product: Product) -> tuple[str, ...]:
        found = self._near.find(product.array, 1.0 if product.factor is None else product.factor, product.terms)
        return (found,) if found else ()


def _widened(array: Array) -> Array:
    """Return half precision as float32, which holds each of its numbers."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _together(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the names in all of ``parts``; none where there are no parts or one has none."""
    found = list(parts)
    return tuple(dict.fromkeys(sum(found, ()))) if all(found) else ()
