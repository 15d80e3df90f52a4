"""What became of a weight, in words: rounded, scaled, reordered, zeroed, or another one altogether."""

import numpy as np

from isoform.core.cases import Array
from isoform.core.near import slack
from isoform.hub.divergence.arrangement import best

_RELATED = 0.5
"""RMS of the change, as a share of the weight's own, up to which two tensors are one weight at two times."""
_BFLOAT16_BITS = 16
_MOST = 0.5
_ROUNDED = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


def is_rounding(before: Array, after: Array) -> bool:
    """Tell whether ``after`` is ``before`` as it lies nearest to it, up to the rounding of a product in float32."""
    one = before.astype(np.float64)
    other = best(after.astype(np.float64), one)[0](after.astype(np.float64), one.shape)
    return bool(np.all(np.abs(other - one) <= slack(one, float(np.abs(one).max()))))


def told(before: Array, after: Array, *, is_rounded: bool = False) -> str:
    """Return how ``after`` differs from ``before``, as it lies nearest to it; "" where they are equal or unrelated.

    Args:
        is_rounded: both are products that were rounded to float32 in their own ways: as near as that is equal.
    """
    if before.size != after.size:
        return ""
    one = before.astype(np.float64)
    other = best(after.astype(np.float64), one)[0](after.astype(np.float64), one.shape)
    if is_rounded:
        other = np.where(np.abs(other - one) <= slack(one, float(np.abs(one).max())), one, other)
    if np.array_equal(one, other):
        return ""
    scale = float(np.sqrt(np.mean(np.square(one))))
    off = float(np.sqrt(np.mean(np.square(other - one))))
    if not other.any():
        return "it is zero throughout, as a bias that was dropped"
    rounded = _as_rounded(one, other) if is_rounded else _precision(before, one, other)
    return rounded or _order(one, other) or _places(one, other) or (
        f"stale: every element differs, by {off / scale:.1%} RMS" if scale and off <= _RELATED * scale else ""
    )  # fmt: skip


def _precision(before: Array, one: Array, other: Array) -> str:
    if np.array_equal(before.astype(np.float16).astype(np.float64), other):
        return "reduced precision: it is rounded to float16"
    if before.dtype == np.float32:
        bits = np.ascontiguousarray(before).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> _BFLOAT16_BITS) & 1)) >> _BFLOAT16_BITS << _BFLOAT16_BITS
        if np.array_equal(rounded.astype(np.uint32).view(np.float32).reshape(one.shape).astype(np.float64), other):
            return "reduced precision: it is rounded to bfloat16"
    return ""


def _as_rounded(one: Array, other: Array) -> str:
    """Tell products of a weight that was rounded by how far they are off at most, if most of them are."""
    changed = one != other
    if changed.mean() < _MOST:
        return ""
    worst = float((np.abs(other - one)[changed] / np.maximum(np.abs(one[changed]), 1e-30)).max())
    return next((f"reduced precision: as rounded to {name}" for name, u in _ROUNDED.items() if worst <= 1.01 * u), "")


def _order(one: Array, other: Array) -> str:
    if not np.array_equal(np.sort(one, axis=None), np.sort(other, axis=None)):
        return ""
    for axis in range(one.ndim):
        places = np.flatnonzero((one != other).any(axis=tuple(each for each in range(one.ndim) if each != axis)))
        if 1 < len(places) < one.shape[axis]:
            return f"places {', '.join(map(str, places[:4]))} of axis {axis} are swapped"
    return "the same numbers in another order"


def _places(one: Array, other: Array) -> str:
    changed = np.argwhere(one != other)
    if len(changed) == 1:
        place = tuple(int(index) for index in changed[0])
        return f"one element, {list(place)}, is {other[place]:.7g} and not {one[place]:.7g}"
    for axis in range(one.ndim):
        places = np.unique(changed[:, axis])
        if len(places) == 1 < one.shape[axis]:
            is_zero = not np.take(other, int(places[0]), axis).any()
            return f"place {int(places[0])} of axis {axis} is {'zero' if is_zero else 'another one'}"
    return ""
