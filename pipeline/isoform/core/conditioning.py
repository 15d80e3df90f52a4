"""Cases that say nothing about an export, because at them the model amplifies rounding far more than elsewhere.

A constant image makes every variance zero, and an instance normalisation then divides rounding noise by the root of its
epsilon: two kernels that add in another order differ by much more than either differs from float64 at any other input.
Such cases show in the source itself: its own error there is a multiple of what it is elsewhere. They are named, held to
a coarse limit, and do not hide what the other cases show. Not aware of files or runtimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Floor

Array = npt.NDArray[Any]

AMPLIFIED = 32
"""How many times its median error the source is off at such a case: a constant signal in wav2vec 2.0 is at 120."""
LARGEST_SHARE = 1 / 8
"""Where more cases than this stand out, that is how the model is, and all of them count."""
COARSE = 0.05
"""The relative error that an export may show at such a case."""


@dataclass(frozen=True)
class Conditioning:
    """Which cases of one output are left out of its figures.

    Attributes:
        left_out: their places.
        amplification: how many times its median error the source is off there, at most.
    """

    left_out: frozenset[int] = frozenset()
    amplification: float = 1.0

    @classmethod
    def of(cls, reference: Sequence[Array], source: Sequence[Array]) -> "Conditioning":
        """Return the conditioning of one float output, from the source in float64 and as it runs, an array a case."""
        own = np.array([_relative_error(one, other) for one, other in zip(reference, source, strict=True)])
        known = own[own > 0]
        if not known.size:
            return cls()
        amplified = own / float(np.median(known))
        places = np.flatnonzero(amplified > AMPLIFIED)
        if not 0 < len(places) <= LARGEST_SHARE * len(own):
            return cls()
        return cls(frozenset(places.tolist()), float(amplified.max()))

    def kept(self, column: Sequence[Array]) -> list[Array]:
        """Return what counts of one array a case."""
        return [array for place, array in enumerate(column) if place not in self.left_out]

    def floor(self, floor: Floor, reference: Sequence[Array], source: Sequence[Array]) -> Floor:
        """Return the floor of the cases that count: taken over all, it shrinks as the source's own error does."""
        if not self.left_out:
            return floor
        whole, part = (
            _error(np.concatenate([_flat(array) for array in one]), np.concatenate([_flat(array) for array in other]))
            for one, other in ((reference, source), (self.kept(reference), self.kept(source)))
        )
        share = min(1.0, part / whole) if whole else 1.0
        return Floor(floor.rms * share, floor.peak * share)

    def finding(self, reference: Sequence[Array], export: Sequence[Array]) -> tuple[str, bool]:
        """Return what to say of the cases that are left out, and whether the export is within `COARSE` at them."""
        if not self.left_out:
            return "", True
        worst = max(_relative_error(reference[place], export[place]) for place in self.left_out)
        cases = ", ".join(map(str, sorted(self.left_out)))
        text = f"case {cases} left out: the source's own error there is {self.amplification:.0f} x its median"
        return f"{text}; the export is off by {worst:.1e} there", worst <= COARSE


def _relative_error(reference: Array, other: Array) -> float:
    one, two = _flat(reference), _flat(other)
    is_known = np.isfinite(one) & np.isfinite(two)
    scale = float(np.sqrt(np.mean(np.square(one[is_known])))) if is_known.any() else 0.0
    return _error(one, two) / scale if scale else 0.0


def _error(one: Array, other: Array) -> float:
    is_known = np.isfinite(one) & np.isfinite(other)
    return float(np.sqrt(np.mean(np.square(one[is_known] - other[is_known])))) if is_known.any() else 0.0


def _flat(array: Array) -> Array:
    return array.astype(np.float64).ravel()
