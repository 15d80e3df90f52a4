"""Gate 2: does the export mean the same function, both evaluated in float64, where no rounding hides a difference?

``R_sem = RMS(y64t - y64) / max(s(2^-24), e(ys), u*S)``: s is how much this model amplifies the rounding of its weights
and inputs to float32; e(ys) is how far its own float32 run is off, which holds what constants that are no weights lose
in float32, too; S is the RMS of the reference. An export whose weights are rounded once (a fold) comes out near 1, an
operator that computes anything else orders of magnitude above. Not aware of how the export was evaluated.
"""

import math
from collections.abc import Sequence

import numpy as np

from isoform.core.cases import FLOAT64, Array, Cases, Floor, Tensors
from isoform.core.numerics import UNIT_ROUNDOFF, rms

Column = Sequence[Array | None]
LIMIT = 2.0
"""Public networks in PyTorch, against s alone: ONNX 0.0 to 0.8, TFLite read back 0.0 to 0.85."""


def chosen(cases: Cases) -> list[int]:
    """Return the places of the smallest case of each kind: other sizes are gate 3's, this one asks for the function."""
    smallest: dict[str, int] = {}
    for place, (kind, inputs) in enumerate(zip(cases.kinds, cases.inputs, strict=True)):
        if kind not in smallest or _elements(inputs) < _elements(cases.inputs[smallest[kind]]):
            smallest[kind] = place
    return sorted(smallest.values())


def can_be_judged(cases: Cases) -> bool:
    """Tell whether the reference is the source in float64; any other is no more exact than what it would judge."""
    return cases.reference is not None and cases.method == FLOAT64


def ratios(cases: Cases, evaluated: Sequence[Tensors]) -> dict[str, float]:
    """Return R_sem of every float output; infinity where the export has other shapes, or is not finite and the
    reference is.

    Args:
        evaluated: what the export answers in float64 to `cases`, which hold their references.
    """
    assert cases.reference is not None
    assert cases.source is not None
    assert cases.floors is not None
    columns = (cases.reference, cases.source, evaluated)
    return {
        name: _ratio(*([case.get(name) for case in column] for column in columns), floors=floors)
        for name, floors in cases.floors.items()
        if cases.reference[0][name].dtype.kind == "f"
    }


def _ratio(reference: Column, source: Column, export: Column, *, floors: Sequence[Floor]) -> float:
    rows = []
    for one, own, other in zip(reference, source, export, strict=True):
        if one is None or own is None or other is None or one.shape != other.shape:
            return math.inf
        is_finite = np.isfinite(one) & np.isfinite(own)
        rows.append(tuple(array[is_finite].astype(np.float64) for array in (one, own, other)))
    exact, single, found = (np.concatenate(column) for column in zip(*rows, strict=True))
    if not np.isfinite(found).all():
        return math.inf
    if np.array_equal(exact, found):
        return 0.0
    floor = Floor.over(floors, [row[0].size for row in rows])
    allowed = max(floor.rms, rms(single - exact), UNIT_ROUNDOFF["float32"] * rms(exact))
    return rms(found - exact) / allowed if allowed > 0 else math.inf


def _elements(inputs: Tensors) -> int:
    return sum(array.size for array in inputs.values())
