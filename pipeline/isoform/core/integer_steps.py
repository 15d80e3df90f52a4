"""Gate 3 for quantised graphs: an output made of integers is compared in its own steps, and what is off is counted.

Kernels round halves and products of scales in their own ways, so the same quantised graph may differ by one step where
a number lies between two integers, and a deep network carries such a step on. How far is measured, not assumed: the
source runs again on inputs that are moved by a fraction of their own step. Not aware of files or runtimes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Floor
from isoform.core.numerics import OutputFigures, Threshold, equivalent_tolerances, rms, small_sample_factor, verdict_of

Array = npt.NDArray[Any]

CLASS = "quantised"
THRESHOLD = Threshold(
    2,
    3,
    "LiteRT's kernels without XNNPACK, against ONNX Runtime in float, left 1.2 and 2.0 times what such a step does",
)
EXACT_SUMS = "session.x64quantprecision"
"""ONNX Runtime's session option to turn int8 into uint8, whose products it adds in 32 bits on every x86 processor."""
INCONCLUSIVE_ABOVE = 0.25
"""What single steps do to an output, as a share of the output, from which comparing it says nothing."""
_EQUAL, _NEAREST = 0.5, 1.5
_ROUNDED = 1.001
"""A step between two float32 that are multiples of it, as far as those are rounded."""


def judge_steps(
    name: str, source: Sequence[Array], export: Sequence[Array], step: float, floor: Floor, threshold: Threshold
) -> OutputFigures:
    """Return the figures and the verdict of one output whose values stand ``step`` apart.

    It passes where no value is further off than one step and at most a quarter of them are, or where both RMS and
    largest difference stay within the threshold's multiples of ``floor``.

    Args:
        source: the source as it runs, one array a case.
        floor: what moving the inputs by a fraction of their step does to this output.
    """
    ys, yt = (np.concatenate([array.astype(np.float64).ravel() for array in side]) for side in (source, export))
    difference = np.nan_to_num(np.abs(yt - ys), nan=np.inf)
    phi = small_sample_factor(ys.size)
    limits = threshold.rms * phi, threshold.peak * phi
    one = step * _ROUNDED
    allowed = max(floor.rms, 0.5 * one / limits[0]), max(floor.peak, one / limits[1])
    e, m = rms(difference), float(difference.max(initial=0.0))
    scale = rms(ys)
    r_rms, r_max = e / allowed[0], m / allowed[1]
    verdict, reason = verdict_of(r_rms, r_max, limits)
    if scale and floor.rms / scale > INCONCLUSIVE_ABOVE:
        verdict, reason = "INCONCLUSIVE", f"single steps inside move it by {floor.rms / scale:.0%} of its size"
    rtol, atol = equivalent_tolerances(ys, yt)
    return OutputFigures(
        name, verdict, reason, r_rms, r_max, *limits,
        lost_bits=max(0.0, math.log2(r_rms)) if r_rms > 0 else 0.0,
        correct_bits=max(0.0, -math.log2(e / scale)) if e and scale and math.isfinite(e) else 0.0 if e else 53.0,
        rtol=rtol, atol=atol, allowed_peak=limits[1] * allowed[1], elements=int(ys.size), measured=CLASS,
        counted=_counted(difference / step),
    )  # fmt: skip


def _counted(steps: Array) -> str:
    """Return how many values are equal, one step off and further off."""
    if steps.size == 0:
        return "no values"
    equal, nearest = np.mean(steps < _EQUAL), np.mean((steps >= _EQUAL) & (steps < _NEAREST))
    further = int(np.count_nonzero(steps >= _NEAREST))
    most = f"{further} of {steps.size} further, {steps.max():.0f} at most" if further else "none further"
    return f"{equal:.2%} equal, {nearest:.2%} one step off, {most}"
