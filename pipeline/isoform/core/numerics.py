"""Gate 3: is the export as accurate as the source, both measured against the source in float64?

The formulas are those of docs on scale-free parity: e(a) is the RMS of ``a - y64`` and m(a) its maximum; an export
passes where its error stays within a small multiple of what the source's own float32 run, or rounding alone, does to
the same outputs. Not aware of structure, files or runtimes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Floor
from isoform.core.f_distribution import f_quantile

Array = npt.NDArray[Any]

UNIT_ROUNDOFF = {"float32": 2.0**-24, "float16": 2.0**-11, "tf32": 2.0**-11, "bfloat16": 2.0**-8, "float64": 2.0**-53}
CLASSES = {"float32": 2.0**-24, "float16 or TF32": 2.0**-11, "bfloat16": 2.0**-8}
"""Precisions that can be told apart by the error they leave, the finest first."""
INCONCLUSIVE_ABOVE = 1e-3
"""The source's own relative error from which it has no three good digits to compare with."""
WARN_RMS = 16.0
FEW_ELEMENTS = 256
_MANTISSA_BITS = 53.0


@dataclass(frozen=True)
class Threshold:
    """How many times the source's own error an export may show, and why that many."""

    rms: float
    peak: float
    reason: str


THRESHOLDS = {
    "ort-cpu": Threshold(8, 16, "its LSTM approximates: R_rms 6.7 on a graph that the reference evaluator runs at 1.1"),
    "ort-cuda": Threshold(8, 16, "as on the CPU; TF32 is off"),
    "torch-export": Threshold(4, 8, "the same kernels as eager PyTorch"),
    "torch-jit": Threshold(4, 8, "the same kernels as eager PyTorch"),
    "torch-jit-cuda": Threshold(8, 16, "CUDA's kernels, not the source's; TF32 is off"),
    "tf": Threshold(4, 8, "the same kernels as Keras"),
    "litert": Threshold(8, 16, "its kernels approximate more: 47 legitimate files stayed below 7.5"),
}
KERNELS_OF = {"torch-export": "torch-eager", "torch-jit": "torch-eager", "tf": "keras"}
"""Runtimes whose kernels are those of one source, by the runtime of that source."""
OTHER_KERNELS = Threshold(8, 16, "not the source's own kernels: legitimate files of other runtimes stayed below 7.5")


def threshold_of(runtime: str, source_runtime: str = "") -> Threshold:
    """Return the limits for ``runtime``; the narrower ones where it is not known which runtime gave the references."""
    if runtime in KERNELS_OF and source_runtime not in ("", KERNELS_OF[runtime]):
        return OTHER_KERNELS
    return THRESHOLDS.get(runtime, OTHER_KERNELS)


@dataclass(frozen=True)
class OutputFigures:
    """One output over all cases.

    Attributes:
        r_rms: e(export) / E, the headline before its logarithm; r_max: m(export) / M.
        lost_bits: log2 of r_rms, at least 0; correct_bits: -log2(e(export) / S), S the RMS of the reference.
        rtol, atol: with which numpy.allclose would just hold against the float64 reference.
        allowed_peak: the largest absolute error that the limit on r_max allows in one element.
        measured: the finest precision whose rounding would explain the error, "none" where it is none of `CLASSES`.
        counted: for an output made of integers, how many values are how many steps off.
        left_out: which cases the figures do not cover, and why.
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
    measured: str
    counted: str = ""
    left_out: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the figures; infinity, which JSON does not have, as null."""
        return {
            key: None if isinstance(value, float) and math.isinf(value) else value for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "OutputFigures":
        figures: dict[str, Any] = {key: math.inf if value is None else value for key, value in record.items()}
        return cls(**figures)


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
    y64, ys, yt = _comparable(reference, source, export)
    scale, largest = rms(y64), _peak(y64)
    own = rms(ys - y64), _peak(ys - y64)
    e, m = rms(yt - y64), _peak(yt - y64)
    phi = small_sample_factor(y64.size)
    limits = threshold.rms * phi, threshold.peak * phi

    def allowed(u: float) -> tuple[float, float]:
        grown = u / UNIT_ROUNDOFF["float32"]  # the floors were taken at float32's, and are linear in u
        return max(own[0], grown * floor.rms, u * scale), max(own[1], grown * floor.peak, u * largest)

    allowed_rms, allowed_peak = allowed(UNIT_ROUNDOFF[precision])
    r_rms, r_max = _ratio(e, allowed_rms), _ratio(m, allowed_peak)
    fitting = (name for name, u in CLASSES.items() if e <= limits[0] * allowed(u)[0] and m <= limits[1] * allowed(u)[1])
    verdict, reason = _verdict(r_rms, r_max, phi, threshold, _ratio(own[0], scale))
    rtol, atol = equivalent_tolerances(y64, yt)
    return OutputFigures(
        name, verdict, reason, r_rms, r_max, *limits,
        lost_bits=max(0.0, math.log2(r_rms)) if r_rms > 0 else 0.0,
        correct_bits=_correct_bits(e, scale),
        rtol=rtol, atol=atol, allowed_peak=limits[1] * allowed_peak, elements=int(y64.size),
        measured=next(fitting, "none"),
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
    if not np.isfinite(export).all():
        return math.inf, math.inf
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
    verdict, reason = verdict_of(r_rms, r_max, (threshold.rms * phi, threshold.peak * phi))
    return ("WARN" if verdict == "FAIL" and r_rms <= WARN_RMS * phi else verdict), reason


def verdict_of(r_rms: float, r_max: float, limits: tuple[float, float]) -> tuple[str, str]:
    """Return PASS, or FAIL and the ratio that is beyond its limit."""
    if r_rms <= limits[0] and r_max <= limits[1]:
        return "PASS", ""
    return "FAIL", f"R_rms {r_rms:.3g} > {limits[0]:.3g}" if r_rms > limits[
        0
    ] else f"R_max {r_max:.3g} > {limits[1]:.3g}"


def _comparable(*columns: Sequence[Array]) -> tuple[Array, ...]:
    """Return reference, source and export as float64 rows, without the elements that are not finite in the first two.

    Those are gate 0's: an export may overflow where the source does, in float32 or in float64.
    """
    reference, source, export = (
        np.concatenate([array.astype(np.float64).ravel() for array in arrays] or [np.zeros(0)]) for arrays in columns
    )
    is_known = np.isfinite(reference) & np.isfinite(source)
    return (
        reference[is_known],
        source[is_known],
        np.nan_to_num(export[is_known], nan=np.inf, posinf=np.inf, neginf=-np.inf),
    )


def _correct_bits(error: float, scale: float) -> float:
    """Return -log2(error / scale), between none and float64's 53."""
    if error == 0:
        return _MANTISSA_BITS
    if scale == 0 or math.isinf(error):
        return 0.0
    return min(_MANTISSA_BITS, max(0.0, -math.log2(error / scale)))


def rms(values: Array) -> float:
    """Return the root of the mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def _peak(values: Array) -> float:
    return float(np.abs(values).max()) if values.size else 0.0


def _ratio(value: float, allowed: float) -> float:
    """Return value / allowed; an error where none is allowed is infinitely too large, no error never is."""
    if value == 0:
        return 0.0
    return value / allowed if allowed > 0 else math.inf
