"""What came of a case, and how far results may lie from what is expected: the case's own tolerance, never tighter
than 1e-3 relative."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.suite import Case

RIGHT, REFUSED, WRONG, CRASHED, LEFT_OUT = "right", "refused", "wrong", "crashed", "left out"
WORDS = (RIGHT, REFUSED, WRONG, CRASHED, LEFT_OUT)
RTOL, ATOL = 1e-3, 1e-6
"""The least tolerances; absolute, eight roundings of float32 at one: sums that cancel end that far apart."""
_EPSILONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_ROUNDINGS = 4
"""Units in the last place of a half-precision type that kernels which accumulate otherwise may end apart."""


class CannotFeed(Exception):
    """A runtime's interface has no form for a value: the case is left out, and says why."""


class Refused(Exception):
    """A runtime that is not isoform's own says that it does not carry the model."""


class Differs(Exception):
    """A runtime answers in two ways, and the answers are not the same."""


@dataclass(frozen=True)
class Verdict:
    """What came of one case, and why if it is not right."""

    word: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.word} ({self.reason})" if self.reason else self.word


def compare(case: Case, wanted: list[Any], found: list[Any]) -> Verdict:
    """Return right, or wrong with what differs first."""
    if len(wanted) != len(found):
        return Verdict(WRONG, f"{len(found)} outputs instead of {len(wanted)}")
    for position, (one, other) in enumerate(zip(wanted, found, strict=True)):
        difference = _difference(case, one, other)
        if difference:
            return Verdict(WRONG, f"output {position}: {difference}")
    return Verdict(RIGHT)


def _difference(case: Case, wanted: Any, found: Any) -> str:
    if wanted is None or found is None:
        return "" if wanted is found else "one is empty"
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return "another sequence"
        return next(filter(None, (_difference(case, *pair) for pair in zip(wanted, found, strict=True))), "")
    found = np.asarray(found)
    if wanted.shape != found.shape:
        return f"shape {found.shape} instead of {wanted.shape}"
    if wanted.dtype.kind in "OUS":
        return "" if _words(wanted) == _words(found) else "other text"
    if wanted.dtype != found.dtype:
        return f"{found.dtype} instead of {wanted.dtype}"
    return _numbers(case, wanted, found)


def _numbers(case: Case, wanted: Any, found: Any) -> str:
    wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
    rtol = max(case.rtol, RTOL, _ROUNDINGS * _EPSILONS.get(wanted.dtype.name, 0.0))
    one, other = wanted.astype(wide), found.astype(wide)
    if np.allclose(one, other, rtol=rtol, atol=max(case.atol, ATOL), equal_nan=True):
        return ""
    is_number = np.isfinite(one) & np.isfinite(other)
    same = np.equal(one, other) | (np.isnan(one) & np.isnan(other))
    if not (is_number | same).all():
        return f"NaN or infinity at {int((~(is_number | same)).sum())} of {one.size} places where it should not be"
    return f"off by up to {np.abs(one[is_number] - other[is_number]).max():.3g}"


def _words(array: Any) -> list[Any]:
    return [item.decode() if isinstance(item, bytes) else str(item) for item in np.asarray(array).ravel().tolist()]
