"""Gate 1 behind a quantisation: does every integer of an export stand for the nearest number of the float32 file?

The float32 graph is matched with the source as ever (core/matching.py). A weight that became integers has to be within
half a step of the number that each stands for, by the scale that the graph of integers holds: of any two neighbours
only the nearer one is. What is not stored so has to be there as it was. Both, scales too, are then looked for in the
export bit for bit. Not aware of files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoform.core.fingerprint import Array, Index
from isoform.core.matching import SMALLEST_PARAMETER, UNEXPLAINED, Explanation, Weights, match

HOW = "rounded to integers"
_HALF = 0.5 + 128 * 2.0**-24
"""Half a step, and what dividing by a scale in float32 adds to the largest of eight bits."""
_PIECE = 1 << 20
"""Elements compared at once: their float64 values are the memory that it takes."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A weight as integers: element i stands for ``scale * (integers[i] - zero_point)``.

    Attributes:
        weight: its name in the float32 graph. reader: of the operator there that reads it.
        integers_name, scale_name: of its parts in the graph of integers.
        scale, zero_point: of shape (), or [channels].
        axis: of the channels; None where there is one scale.
    """

    weight: str
    reader: str
    integers_name: str
    scale_name: str
    integers: Array
    scale: Array
    zero_point: Array
    axis: int | None = None

    def farthest(self, weight: Array) -> float:
        """Return the largest distance of an element from the number that its integer stands for, in steps."""
        if weight.shape != self.integers.shape:
            return float("inf")
        moved, integers = (np.moveaxis(array, self.axis or 0, 0) for array in (weight, self.integers))
        if not moved.size:
            return 0.0
        if not moved.ndim:
            moved, integers = moved[None], integers[None]
        each, rows = moved[:1].size, max(1, _PIECE // moved[:1].size)
        worst = 0.0
        for begin in range(0, len(moved), rows):
            piece = slice(begin, begin + rows)
            scale, zero = (part if self.axis is None else part[piece, None] for part in (self.scale, self.zero_point))
            units = integers[piece].reshape(-1, each) - zero.astype(np.float64)
            distance = moved[piece].reshape(-1, each).astype(np.float64) / scale.astype(np.float64) - units
            worst = max(worst, float(np.abs(distance).max()))
        return worst


def through_integers(
    explanations: Iterable[Explanation], source: Weights, before: Weights, stored: Sequence[Stored], export: Weights
) -> tuple[list[Explanation], list[str]]:
    """Return ``explanations``, whose tensors are those of ``before``, with where these are in ``export``.

    A parameter that the graph before holds together with others may stand in the export by itself. Also a finding for
    each integer that is not the nearest, and for each tensor of the export, large enough to be a weight, that is
    neither of ``before`` nor of ``stored``.
    """
    by_weight: dict[str, list[Stored]] = {}
    for entry in stored:
        by_weight.setdefault(entry.weight, []).append(entry)
    findings = [finding for entry in stored if (finding := _finding(entry, before.get(entry.weight)))]
    wanted = {entry.integers_name: entry.integers for entry in stored}
    wanted |= {entry.scale_name: entry.scale for entry in stored}
    whole, parts = _found(before, export), _found(wanted, export)
    used = {name for names in (*whole.values(), *parts.values()) for name in names}
    rest = {name: array for name, array in export.items() if name not in used}
    left_out = match({name: before[name] for name, names in whole.items() if not names}, rest)
    dropped = {entry.parameter: entry.how for entry in left_out if entry.how != UNEXPLAINED}
    found = [_onward(entry, by_weight, whole, parts, dropped) for entry in explanations]
    missing = {entry.parameter for entry in found if entry.how == UNEXPLAINED}
    directly = match(source, export) if missing else []
    alone = {entry.parameter: entry for entry in directly if entry.tensors and entry.parameter in missing}
    found = [alone.get(entry.parameter, entry) for entry in found]
    used |= {name for entry in alone.values() for name in entry.tensors}
    return found, findings + _strange(export, used)


def _finding(entry: Stored, weight: Array | None) -> str | None:
    if weight is None:
        return f"the integers '{entry.integers_name}' stand for no weight of the float32 graph"
    distance = entry.farthest(weight)
    if distance <= _HALF:
        return None
    return f"'{entry.weight}' is {distance:.3g} steps from its integers, and the nearest ones are within half a step"


def _found(wanted: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return by name where tensors are in the export."""
    index = Index({name: array for name, array in export.items() if array.size})
    places = {name: index.arrangements(array) for name, array in wanted.items() if array.size}
    missing = {name: wanted[name] for name, names in places.items() if not names}
    return places | {entry.parameter: entry.tensors for entry in match(missing, export) if entry.tensors}


def _onward(
    entry: Explanation,
    stored: Mapping[str, Sequence[Stored]],
    whole: Mapping[str, tuple[str, ...]],
    parts: Mapping[str, tuple[str, ...]],
    dropped: Mapping[str, str],
) -> Explanation:
    if not entry.tensors:
        return entry
    tensors: list[str] = []
    hows = [entry.how]
    for name in entry.tensors:
        rounded = [places for each in stored.get(name, ()) if (places := _both(each, parts))]
        here = (*sum(rounded, ()), *whole.get(name, ()))
        if not here and name not in dropped:
            return replace(entry, how=UNEXPLAINED, tensors=())
        hows.append(HOW if rounded else dropped.get(name, "exact"))
        tensors += here
    steps = [how for how in dict.fromkeys(hows) if how != "exact"]
    return replace(entry, how=", ".join(steps) or "exact", tensors=tuple(dict.fromkeys(tensors)))


def _both(entry: Stored, parts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return where integers and scale are, nothing where one of them is gone."""
    integers, scale = parts.get(entry.integers_name, ()), parts.get(entry.scale_name, ())
    return (*integers, *scale) if integers and scale else ()


def _strange(export: Weights, used: set[str]) -> list[str]:
    """Name what could be a weight and is none; a tensor of zeros is one of zero points, or no bias."""
    return [
        f"the tensor '{name}' is none of the float32 graph, as it is or in integers"
        for name, array in export.items()
        if array.size > SMALLEST_PARAMETER and name not in used
        and (array.dtype.kind == "f" or array.dtype.itemsize == 1) and np.any(array)
    ]  # fmt: skip
