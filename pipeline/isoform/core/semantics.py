"""Gate 2: does the export mean the same function, both evaluated in float64, where no rounding hides a difference?

``R_sem = RMS(y64t - y64) / max(s(2^-24), e(ys), u*S)``: s is how much this model amplifies the rounding of its weights
and inputs to float32; e(ys) is how far its own float32 run is off, which holds what constants that are no weights lose
in float32, too; S is the RMS of the reference. An export whose weights are rounded once (a fold) comes out near 1, an
operator that computes anything else orders of magnitude above. Where the source's own float32 run has no three good
digits, as where near ties decide what a network selects, this allows for anything: there both have to agree to
`SAME` of the output's size, at most cases. Not aware of how the export was evaluated.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isoform.core.cases import FLOAT64, Array, Cases, Floor, Tensors
from isoform.core.numerics import INCONCLUSIVE_ABOVE, UNIT_ROUNDOFF, rms

Column = Sequence[Array | None]
LIMIT = 2.0
"""Public networks in PyTorch, against s alone: ONNX 0.0 to 0.8, TFLite read back 0.0 to 0.85."""
SAME = 1e-6
"""Between float64's own rounding, amplified as float32's is (1e-16 / 1e-7 of what that does), and float32's."""
SETTLED = 2 / 3
"""Share of the cases at which both have to agree: an image of zeros has true ties, which no precision decides."""


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


def ratios(cases: Cases, evaluated: Sequence[Tensors], roundoff: str = "float32") -> dict[str, float]:
    """Return R_sem of every float output; infinity where the export has other shapes, or is not finite and the
    reference is.

    Args:
        evaluated: what the export answers in float64 to `cases`, which hold their references.
        roundoff: the class that its weights are rounded to: s is linear in u.
    """
    u = UNIT_ROUNDOFF[roundoff]
    return {name: math.inf if output is None else output.ratio(u) for name, output in _outputs(cases, evaluated)}


def untold(cases: Cases, evaluated: Sequence[Tensors]) -> dict[str, float]:
    """Return the outputs of which R_sem says nothing, with the difference in float64 as a share of their size."""
    found = {name: output for name, output in _outputs(cases, evaluated) if output is not None and output.is_unsteady}
    return {name: output.share for name, output in found.items() if output.share > SAME}


@dataclass(frozen=True)
class _Output:
    """Errors of one output over all cases, as RMS.

    Attributes:
        scale: of the reference; own: of the source in float32; floor: what rounding may do; difference: in float64.
        shares: the difference as a share of the scale, case by case.
    """

    scale: float
    own: float
    floor: float
    difference: float
    shares: tuple[float, ...]

    def ratio(self, u: float) -> float:
        """Return R_sem at unit roundoff ``u``."""
        allowed = max(u / UNIT_ROUNDOFF["float32"] * self.floor, self.own, u * self.scale)
        if not self.difference:
            return 0.0
        return self.difference / allowed if allowed > 0 else math.inf

    @property
    def is_unsteady(self) -> bool:
        return self.own > INCONCLUSIVE_ABOVE * self.scale

    @property
    def share(self) -> float:
        """The share that `SETTLED` of the cases do not exceed."""
        return sorted(self.shares)[math.ceil(SETTLED * len(self.shares)) - 1]


def _outputs(cases: Cases, evaluated: Sequence[Tensors]) -> Iterator[tuple[str, _Output | None]]:
    """Yield the float outputs by name; None where the export's cannot be compared with the reference."""
    assert cases.reference is not None
    assert cases.source is not None
    assert cases.floors is not None
    columns = (cases.reference, cases.source, evaluated)
    for name, floors in cases.floors.items():
        if cases.reference[0][name].dtype.kind == "f":
            yield name, _output(*([case.get(name) for case in column] for column in columns), floors=floors)


def _output(reference: Column, source: Column, export: Column, *, floors: Sequence[Floor]) -> _Output | None:
    rows = []
    for one, own, other in zip(reference, source, export, strict=True):
        if one is None or own is None or other is None or one.shape != other.shape:
            return None
        is_finite = np.isfinite(one) & np.isfinite(own)
        rows.append(tuple(array[is_finite].astype(np.float64) for array in (one, own, other)))
    exact, single, found = (np.concatenate(column) for column in zip(*rows, strict=True))
    if not np.isfinite(found).all():
        return None
    floor = Floor.over(floors, [row[0].size for row in rows])
    scale = rms(exact)
    shares = tuple(rms(row[2] - row[0]) / scale if scale else 0.0 for row in rows)
    return _Output(scale, rms(single - exact), floor.rms, rms(found - exact), shares)


def _elements(inputs: Tensors) -> int:
    return sum(array.size for array in inputs.values())
