"""Do the outputs depend on the inputs by more than rounding? Where they do not, no comparison of them says anything.

A deep network whose every layer lets a tenth through, as some are before they are trained, answers the same to whatever
it is given: a wrong operator in it changes nothing that can be seen. Outputs that are wholly constant (anchors,
positions) are their own proof. Not aware of exports.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from isoform.core.cases import Array, Cases, Floor
from isoform.core.numerics import UNIT_ROUNDOFF, rms


def independent(cases: Cases, limit: float) -> dict[str, float]:
    """Return by output how much it varies, as a share of its size, where no output varies by more than rounding.

    Empty where any output does, or none can be told: an export that answered the mean to every input would be failed.

    Args:
        limit: how many times the source's own error an export may be off.
    """
    assert cases.reference is not None
    assert cases.source is not None
    found: dict[str, float] = {}
    for name, array in cases.reference[0].items():
        exact, single = ([case[name] for case in column] for column in (cases.reference, cases.source))
        if array.dtype.kind != "f":
            if _varies(exact):
                return {}
            continue
        spread, size, allowed = _spread(exact, single, (cases.floors or {}).get(name, ()))
        if spread > limit * allowed:
            return {}
        if spread > 0:
            found[name] = spread / size
    return found


def _spread(exact: Sequence[Array], single: Sequence[Array], floors: Sequence[Floor]) -> tuple[float, float, float]:
    """Return the RMS of the deviations from the mean over cases of one shape, of the output, and of its error."""
    deviations = [
        np.concatenate([(array - np.mean(arrays, axis=0)).ravel() for array in arrays])
        for arrays in _by_shape(exact).values() if len(arrays) > 1
    ]  # fmt: skip
    values, own = (_flat(column) for column in (exact, [one - other for one, other in zip(single, exact, strict=True)]))
    size = rms(values)
    floor = Floor.over(floors, [array.size for array in exact]).rms if floors else 0.0
    return rms(_flat(deviations)), size, max(rms(own), floor, UNIT_ROUNDOFF["float32"] * size)


def _varies(arrays: Sequence[Array]) -> bool:
    return any(not np.array_equal(each, same[0]) for same in _by_shape(arrays).values() for each in same)


def _by_shape(arrays: Sequence[Array]) -> Mapping[tuple[int, ...], list[Array]]:
    found: dict[tuple[int, ...], list[Array]] = {}
    for array in arrays:
        found.setdefault(array.shape, []).append(array)
    return found


def _flat(arrays: Sequence[Array]) -> Array:
    values = np.concatenate([array.astype(np.float64).ravel() for array in arrays] or [np.zeros(0)])
    finite: Array = values[np.isfinite(values)]
    return finite
