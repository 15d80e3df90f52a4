"""Which tensors of two graphs are the same: by what they hold, whatever they are called and however they lie.

Both graphs are evaluated in float64. Moments, which do not depend on an order, say which tensors may be equal; those
are then compared element by element. A few tensors are held at a time, never all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation
from isoform.hub.divergence.arrangement import Arrangement, best
from isoform.hub.divergence.figures import Figures
from isoform.hub.divergence.moments import LARGEST_HELD_BYTES, distances, element_counts, moments
from isoform.hub.divergence.traced import Traced
from isoform.hub.divergence.values import Evaluation

_LIKELY = 1e-3
"""How far moments of equal tensors may be apart, as a share of their RMS."""
_MOST_PARTNERS = 4


@dataclass(frozen=True)
class Pair:
    """A tensor of the candidate and one of the reference, how the first lies in the second, and how far it is off."""

    candidate: str
    reference: str
    arrangement: Arrangement = field(compare=False)
    figures: Figures = field(compare=False)


class Graphs:
    """A reference and a candidate, evaluated on the same cases.

    Attributes:
        moments: of every tensor, first of the reference, then of the candidate.
    """

    def __init__(self, reference: Traced, candidate: Traced, cases: Sequence[Tensors]) -> None:
        self.reference, self.candidate, self.cases = reference, candidate, cases
        roundoff = Perturbation(0, UNIT_ROUNDOFF["float32"])
        self._exact = Evaluation(reference.model, is_float64=True)
        self._single = Evaluation(reference.model, is_float64=False)
        self._disturbed = Evaluation(reference.model, is_float64=True, perturbation=roundoff)
        self._found = Evaluation(candidate.model, is_float64=True)
        self._sizes_only: set[str] = set()
        self.moments = [moments(each, cases, set()) for each in (self._exact,)]
        self.moments.append(moments(self._found, cases, self._sizes_only))

    def likely(self) -> list[tuple[str, str]]:
        """Return which tensors of the candidate may be which of the reference; equal names come first."""
        reference, candidate = self.moments
        by_size: dict[tuple[int, ...], list[str]] = {}
        for name, rows in reference.items():
            by_size.setdefault(element_counts(rows), []).append(name)
        stacked = {size: np.stack([reference[name] for name in names]) for size, names in by_size.items()}
        found = []
        for name, rows in candidate.items():
            size = element_counts(rows)
            if size not in by_size:
                continue
            far = distances(stacked[size], rows)
            near = [place for place in np.argsort(far, kind="stable") if far[place] <= _LIKELY]
            names = [by_size[size][place] for place in near[:_MOST_PARTNERS]]
            names += [name] if name in by_size[size] and name not in names else []
            found += [(name, partner) for partner in sorted(names, key=lambda each: each != name)]
        return found

    def measured(self, wanted: Sequence[tuple[str, str]]) -> list[Pair]:
        """Return the figures of pairs with equal numbers of elements."""
        return [pair for chunk in self._chunks(wanted) for pair in self._measured(chunk)]

    def arrays(self, case: Tensors, names: Iterable[str], *, of_reference: bool) -> dict[str, Array]:
        """Return tensors of one graph in float64."""
        return (self._exact if of_reference else self._found).values(case, set(names))

    def is_size(self, name: str) -> bool:
        """Tell whether a tensor of the candidate is a few integers: a size or an axis, which no other need have."""
        return name in self._sizes_only

    def _measured(self, chunk: Sequence[tuple[str, str]]) -> list[Pair]:
        candidates, references = ({pair[side] for pair in chunk} for side in (0, 1))
        sums = {pair: Figures() for pair in chunk}
        arrangements: dict[tuple[str, str], Arrangement] = {}
        for case in self.cases:
            exact, single, disturbed = (
                each.values(case, references) for each in (self._exact, self._single, self._disturbed)
            )
            found = self._found.values(case, candidates)
            for pair in chunk:
                one, other = found[pair[0]], exact[pair[1]]
                if pair not in arrangements:
                    arrangements[pair] = best(one, other)[0]
                try:
                    lying = arrangements[pair](one, other.shape)
                except ValueError:  # an axis of size one that is longer in another case
                    lying = best(one, other)[0](one, other.shape)
                sums[pair].add(other, lying, single.get(pair[1]), disturbed.get(pair[1]))
        return [Pair(*pair, arrangements[pair], sums[pair]) for pair in chunk]

    def _chunks(self, wanted: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
        chunk: list[tuple[str, str]] = []
        held = 0
        for pair in wanted:
            # Three arrays of the reference and one of the candidate, in float64.
            needed = 32 * max(int(self.moments[1][pair[0]][:, 0].max()), 1)
            if chunk and held + needed > LARGEST_HELD_BYTES:
                yield chunk
                chunk, held = [], 0
            chunk.append(pair)
            held += needed
        if chunk:
            yield chunk


def agreeing(pairs: Iterable[Pair], limit: float) -> dict[str, list[Pair]]:
    """Return by tensor of the candidate those pairs whose ratio is within ``limit``."""
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.figures.ratio <= limit:
            found.setdefault(pair.candidate, []).append(pair)
    return found


def partners(agreed: Mapping[str, Sequence[Pair]], name: str) -> set[str]:
    """Return the tensors of the reference that a tensor of the candidate is."""
    return {pair.reference for pair in agreed.get(name, ())}
