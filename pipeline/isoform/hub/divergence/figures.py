"""R of one tensor over the cases, by the formula of gate 3 (core/numerics.py), gathered case by case."""

import math
from dataclasses import dataclass

import numpy as np

from isoform.core.cases import Array
from isoform.core.numerics import UNIT_ROUNDOFF

_LARGEST = 1e30
"""Beyond it a number is a mask: what it stands for is infinity."""


@dataclass
class Figures:
    """Sums of squares over elements that the reference knows.

    Attributes:
        error: of the tensor in question; own: of the reference as it runs in float32; floor: of what rounding of the
            weights does; scale: of the reference itself.
    """

    count: int = 0
    error: float = 0.0
    own: float = 0.0
    floor: float = 0.0
    scale: float = 0.0

    def add(self, exact: Array, found: Array, single: Array | None, disturbed: Array | None) -> None:
        """Take up one case, all arrays in the shape of ``exact``."""
        y64 = exact.astype(np.float64).ravel()
        is_known = np.isfinite(y64) & (np.abs(y64) < _LARGEST)
        y64 = y64[is_known]
        self.count += y64.size
        self.error += _square(found, is_known, y64)
        # Where the reference itself overflows in float32, it says nothing of what is allowed.
        self.own += _square(single, is_known, y64, only_finite=True)
        self.floor += _square(disturbed, is_known, y64, only_finite=True)
        self.scale += float(np.square(y64).sum())

    @property
    def allowed(self) -> float:
        """E: the largest of the source's own error, what rounding of weights does and one rounding of the output."""
        return max(self._rms(self.own), self._rms(self.floor), UNIT_ROUNDOFF["float32"] * self._rms(self.scale))

    @property
    def ratio(self) -> float:
        """R_rms."""
        error = self._rms(self.error)
        if error == 0:
            return 0.0
        return error / self.allowed if self.allowed else math.inf

    def _rms(self, total: float) -> float:
        return math.sqrt(total / self.count) if self.count else 0.0


def _square(array: Array | None, is_known: Array, exact: Array, *, only_finite: bool = False) -> float:
    if array is None:
        return 0.0
    difference = array.astype(np.float64).ravel()[is_known] - exact
    if only_finite:
        difference = difference[np.isfinite(difference)]
    return float(np.square(difference).sum()) if np.isfinite(difference).all() else math.inf
