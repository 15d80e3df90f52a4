"""Cases that say nothing about an export, because at them the model amplifies rounding far more than elsewhere.

A constant image makes every variance zero, and an instance normalisation then divides rounding noise by the root of its
epsilon: two kernels that add in another order differ by much more than either differs from float64 at any other input.
Such cases show in the source itself: its own error there is a multiple of what it is elsewhere, or what rounding may do
is: a kernel happens to add equal numbers without an error. They are named, held to a coarse limit, and do not hide what
the other cases show. Not aware of files or runtimes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Floor

Array = npt.NDArray[Any]

AMPLIFIED = 32
"""How many times the median error that is: a constant signal in wav2vec 2.0 is at 120, images of zeros are at 50 in
diffusers' networks with group normalisation; a ResNet and a ViT stay below 4 whatever they are given."""
LARGEST_SHARE = 1 / 8
"""Where more cases than this stand out, that is how the model is, and all of them count."""
COARSE = 0.05
"""The relative error that an export may always show at such a case."""


@dataclass(frozen=True)
class Conditioning:
    """Which cases of one output are left out of its figures.

    Attributes:
        left_out: by their places, what rounding does there as a share of the output.
        amplification: how many times as far off as elsewhere the source is there, or may be, at most.
    """

    left_out: Mapping[int, float] = field(default_factory=dict)
    amplification: float = 1.0

    @classmethod
    def of(cls, reference: Sequence[Array], source: Sequence[Array], floors: Sequence[Floor]) -> "Conditioning":
        """Return the conditioning of one float output.

        Args:
            reference: the source in float64, an array a case; source: as it runs; floors: what rounding may do to it.
        """
        own = np.array([
            max(_relative_error(one, other), _share(floor.rms, one))
            for one, other, floor in zip(reference, source, floors, strict=True)
        ])  # fmt: skip
        known = own[own > 0]
        if not known.size:
            return cls()
        amplified = own / float(np.median(known))
        places = np.flatnonzero(amplified > AMPLIFIED)
        if not 0 < len(places) <= LARGEST_SHARE * len(own):
            return cls()
        return cls({int(place): float(own[place]) for place in places}, float(amplified.max()))

    def kept(self, column: Sequence[Any]) -> list[Any]:
        """Return what counts of one item a case."""
        return [item for place, item in enumerate(column) if place not in self.left_out]

    def finding(self, reference: Sequence[Array], export: Sequence[Array], most: float) -> tuple[str, bool]:
        """Return what to say of the cases that are left out, and whether the export is near enough at them.

        Args:
            most: how many times what rounding does at a case the export may be off there, if that is beyond `COARSE`.
        """
        if not self.left_out:
            return "", True
        errors = {place: _relative_error(reference[place], export[place]) for place in self.left_out}
        worst = max(errors.values())
        cases = ", ".join(map(str, sorted(self.left_out)))
        text = f"case {cases} left out: rounding alone does {self.amplification:.0f} x there what it does elsewhere"
        is_near = all(error <= max(COARSE, most * self.left_out[place]) for place, error in errors.items())
        return f"{text}; the export is off by {worst:.1e} there", is_near


def _relative_error(reference: Array, other: Array) -> float:
    one, two = _flat(reference), _flat(other)
    is_known = np.isfinite(one) & np.isfinite(two)
    return _share(float(np.sqrt(np.mean(np.square(one[is_known] - two[is_known])))), one) if is_known.any() else 0.0


def _share(error: float, reference: Array) -> float:
    """Return ``error`` as a share of the RMS of ``reference``."""
    values = _flat(reference)
    values = values[np.isfinite(values)]
    scale = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    return error / scale if scale else 0.0


def _flat(array: Array) -> Array:
    return array.astype(np.float64).ravel()
