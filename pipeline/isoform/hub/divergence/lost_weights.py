"""Which weights of a reference a file has in another form than it may: what gate 1 asks, asked of two graphs.

A weight can be wrong where no activation tells, as what it multiplies is zero or what follows hardly listens. Not aware
of what the graphs compute.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from isoform.core.cases import Array
from isoform.core.computed import Fold, Uses
from isoform.core.matching import UNEXPLAINED, match, match_through
from isoform.core.near import NearIndex
from isoform.hub import derived, graph
from isoform.hub.divergence.arrangement import best, likeness
from isoform.hub.divergence.changed_weights import is_rounding, told
from isoform.hub.divergence.traced import Step, Traced

_ALIKE = 0.3
_ALIKE_VECTORS = 0.9
"""The cosine of magnitudes from which a tensor is taken for a changed one; short vectors are alike by chance."""
_MOST = 24
"""Weights that may be lost, a layer's with its normalisation; where more are, the file holds weights in a form of its
own."""
_DROPPED = 0.5
"""What counts as the likeness of a vector of zeros, which stands where a bias was."""


@dataclass(frozen=True)
class Lost:
    """A weight of the reference that the file has in no form that computes the same.

    Attributes:
        holder: the tensor of the file that stands in its place; step: of the file, which reads that.
        readers: the steps of the reference that read the weight.
        change: what became of it, in words; "" where that is not known.
        is_there: the tensor is what it should be, and only what else was folded into the same layer is lost.
    """

    parameter: str
    holder: str
    step: Step
    readers: tuple[Step, ...]
    change: str
    is_there: bool


def lost(reference: Traced, candidate: Traced) -> list[Lost]:
    """Return the weights that the candidate lacks and has something else for, in the order of its steps."""
    model = reference.model.clone()
    graph.infer_shapes(model)
    readers = _readers(candidate.steps)
    source, held = (_weights(derived.tensors(each)) for each in (model, candidate.model))
    export = {name: array for name, array in held.items() if name in readers}
    uses = partial(derived.uses, model)
    explained = match_through(match(source, export), source, export, source, uses)
    used = {tensor for entry in explained for tensor in entry.tensors}
    unknown = {name: array for name, array in export.items() if name not in used}
    missing = [entry.parameter for entry in explained if entry.how == UNEXPLAINED]
    if len(missing) > _MOST:
        return []
    missing = [name for name in missing if not _is_moved(source[name], unknown)]
    ways = uses(missing)
    found = []
    for name in missing:
        holder = _holder(name, source[name], unknown)
        if holder in readers:
            form, is_folded = _form(source[name], ways[name], unknown[holder])
            change = told(form, unknown[holder], is_rounded=is_folded)
            theirs, is_there = tuple(_readers(reference.steps).get(name, ())), is_rounding(form, unknown[holder])
            found.append(Lost(name, holder, readers[holder][0], theirs, change, is_there))
    return sorted(found, key=lambda each: each.step.place)


def _weights(tensors: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in tensors.items() if array.dtype.kind == "f" and array.size > 1}


def _is_moved(array: Array, unknown: Mapping[str, Array]) -> bool:
    """Tell whether the file has all of a weight times one number, which another layer is divided by, or a vector's
    numbers in another order.
    """
    alike = {name: other for name, other in unknown.items() if other.size == array.size}
    size = float(np.linalg.norm(array.astype(np.float64)))
    for name, other in alike.items():
        factor = float(np.linalg.norm(other.astype(np.float64))) / size if size else 0.0
        index = NearIndex({name: other})
        if factor and (index.find(array, factor) or index.find(array, -factor)):
            return True
    is_vector = array.size == max(array.shape)
    return is_vector and any(other.any() and np.isin(array[array != 0], other).all() for other in unknown.values())


def _holder(name: str, array: Array, unknown: Mapping[str, Array]) -> str:
    """Return the tensor that stands in the place of a lost weight: of its size and most like it, or called after it."""
    is_vector = array.ndim == 1
    alike = {
        other: likeness(np.abs(held), np.abs(array)) if held.any() else _DROPPED * is_vector
        for other, held in unknown.items() if held.size == array.size
    }  # fmt: skip
    enough = {
        other: value for other, value in alike.items()
        if value >= (_ALIKE_VECTORS if is_vector and unknown[other].any() else _ALIKE)
    }  # fmt: skip
    return max(enough, key=lambda other: (other.split("/")[0] == name, enough[other]), default="")


def _form(array: Array, uses: Uses, held: Array) -> tuple[Array, bool]:
    """Return a weight as it stands or as it is folded into a layer, whichever is nearer to ``held``; and which."""
    forms = [(array, False), *((product, True) for product in _folded(uses) if product.size == held.size)]
    return min(forms, key=lambda each: best(held, each[0])[1])


def _folded(uses: Uses) -> Iterator[Array]:
    for fold in (item for alternatives in uses for item in alternatives if isinstance(item, Fold)):
        for product in fold.products():
            factor = 1.0 if product.factor is None else product.factor
            yield (product.array.astype(np.float64) * factor).astype(np.float32)


def _readers(steps: Sequence[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        for name in dict.fromkeys(value.name for value in step.constants):
            found.setdefault(str(name), []).append(step)
    return found
