"""Gate 3: is the export as accurate as the source, both measured against the source in float64?

The formulas are those of docs on scale-free parity: e(a) is the RMS of ``a - y64`` and m(a) its maximum; an export
passes where its error stays within a small multiple of what the source's own float32 run, or rounding alone, does to
the same outputs. Not aware of structure, files or runtimes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Floor
from isoform.core.f_distribution import f_quantile

Array = npt.NDArray[Any]

UNIT_ROUNDOFF = {"float32": 2.0**-24, "float16": 2.0**-11, "tf32": 2.0**-11, "bfloat16": 2.0**-8, "float64": 2.0**-53}
INCONCLUSIVE_ABOVE = 1e-3
"""The source's own relative error from which it has no three good digits to compare with."""
WARN_RMS = 16.0
FEW_ELEMENTS = 256


@dataclass(frozen=True)
class Threshold:
    """How many times the source's own error an export may show, and why that many."""

    rms: float
    peak: float
    reason: str


THRESHOLDS = {
    "ort-cpu": Threshold(4, 8, "75 legitimate variants of float32 kernels stayed below 4"),
    "ort-cuda": Threshold(4, 8, "float32 with TF32 off, summed in another order"),
    "torch-jit": Threshold(4, 8, "the same kernels as eager PyTorch"),
    "tf": Threshold(4, 8, "the same kernels as Keras, and float32 ones beside PyTorch"),
    "litert": Threshold(8, 16, "its kernels approximate more: 47 legitimate files stayed below 7.5"),
}
"""A runtime that is not listed is judged like ONNX Runtime."""


@dataclass(frozen=True)
class OutputFigures:
    """One output over all cases.

    Attributes:
        r_rms: e(export) / E, the headline before its logarithm; r_max: m(export) / M.
        lost_bits: log2 of r_rms, at least 0; correct_bits: -log2(e(export) / S), S the RMS of the reference.
        rtol, atol: with which numpy.allclose would just hold against the float64 reference.
        allowed_peak: the largest absolute error that the limit on r_max allows in one element.
    """

    name: str
    verdict: str
    reason: str
    r_rms: float
    r_max: float
    limit_rms: float
    limit_max: float
    lost_bits: float
    correct_bits: float
    rtol: float
    atol: float
    allowed_peak: float
    elements: int

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def judge(
    name: str,
    reference: Sequence[Array],
    source: Sequence[Array],
    export: Sequence[Array],
    floor: Floor,
    threshold: Threshold,
    precision: str = "float32",
) -> OutputFigures:
    """Return the figures and the verdict (PASS, WARN, FAIL or INCONCLUSIVE) of one float output.

    Args:
        reference: the source in float64, one array a case.
        source: the source as it normally runs.
        export: the export in its runtime; shapes and places of NaN and Inf are those of the reference (gate 0).
        floor: how much the model amplifies rounding (``s`` and ``m_s``).
        precision: the class that was asked for; its unit roundoff is the smallest error held against an export.
    """
    y64, ys, yt = (_finite(arrays, reference) for arrays in (reference, source, export))
    u = UNIT_ROUNDOFF[precision]
    scale, largest = _rms(y64), _peak(y64)
    allowed_rms = max(_rms(ys - y64), floor.rms, u * scale)
    allowed_peak = max(_peak(ys - y64), floor.peak, u * largest)
    e, m = _rms(yt - y64), _peak(yt - y64)
    r_rms, r_max = _ratio(e, allowed_rms), _ratio(m, allowed_peak)
    phi = small_sample_factor(y64.size)
    verdict, reason = _verdict(r_rms, r_max, phi, threshold, _ratio(_rms(ys - y64), scale))
    rtol, atol = equivalent_tolerances(y64, yt)
    return OutputFigures(
        name, verdict, reason, r_rms, r_max, threshold.rms * phi, threshold.peak * phi,
        lost_bits=max(0.0, math.log2(r_rms)) if r_rms > 0 else 0.0,
        correct_bits=min(53.0, -math.log2(e / scale)) if e > 0 and scale > 0 else 53.0,
        rtol=rtol, atol=atol, allowed_peak=threshold.peak * phi * allowed_peak, elements=int(y64.size),
    )  # fmt: skip


def small_sample_factor(elements: int) -> float:
    """Return phi: what two independent estimates of one RMS from few elements may differ by (0.999 quantile)."""
    if elements >= FEW_ELEMENTS or elements == 0:
        return 1.0
    return math.sqrt(f_quantile(0.999, elements, elements))


def equivalent_tolerances(reference: Array, export: Array) -> tuple[float, float]:
    """Return an rtol that holds for elements of at least 1 % of the largest, and an atol for the others beside it."""
    if reference.size == 0:
        return 0.0, 0.0
    difference, magnitude = np.abs(export - reference), np.abs(reference)
    is_large = magnitude >= 0.01 * magnitude.max()
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(difference > 0, difference / magnitude, 0.0)
    rtol = float(relative[is_large].max()) if is_large.any() and np.isfinite(relative[is_large]).all() else 0.0
    return rtol, float(np.maximum(difference - rtol * magnitude, 0.0).max())


def _verdict(
    r_rms: float, r_max: float, phi: float, threshold: Threshold, own_relative_error: float
) -> tuple[str, str]:
    if own_relative_error > INCONCLUSIVE_ABOVE:
        return "INCONCLUSIVE", f"the source itself is off by {own_relative_error:.1e}, fewer than three good digits"
    if r_rms <= threshold.rms * phi and r_max <= threshold.peak * phi:
        return "PASS", ""
    worst = (
        f"R_rms {r_rms:.3g} > {threshold.rms * phi:.3g}"
        if r_rms > threshold.rms * phi
        else f"R_max {r_max:.3g} > {threshold.peak * phi:.3g}"
    )
    return ("WARN" if r_rms <= WARN_RMS * phi else "FAIL"), worst


def _finite(arrays: Sequence[Array], reference: Sequence[Array]) -> Array:
    """Return the elements of all cases in one float64 row, without those that are NaN or infinite in the reference."""
    rows = [
        array.astype(np.float64).ravel()[np.isfinite(known).ravel()]
        for array, known in zip(arrays, reference, strict=True)
    ]
    return np.concatenate(rows) if rows else np.zeros(0)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def _peak(values: Array) -> float:
    return float(np.abs(values).max()) if values.size else 0.0


def _ratio(value: float, allowed: float) -> float:
    """Return value / allowed; an error where none is allowed is infinitely too large, no error never is."""
    if value == 0:
        return 0.0
    return value / allowed if allowed > 0 else math.inf
