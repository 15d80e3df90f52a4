"""Gate 0: is it the same function on the outside? Names, order, dtypes, shapes, NaN and Inf, exact outputs. All exact.

Not aware of files or runtimes: it compares a declared signature with one that a runtime read back, and arrays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Tensors
from isoform.core.signature import Signature, TensorSpec

Array = npt.NDArray[Any]
FEWEST_CLASSES = 2


def compare_signatures(declared: Signature, found: Signature) -> list[str]:
    """Return what differs between the signature promised and the one in the file; empty where nothing does."""
    findings = []
    for side in ("inputs", "outputs"):
        wanted, there = getattr(declared, side), getattr(found, side)
        names, found_names = [spec.name for spec in wanted], [spec.name for spec in there]
        if names != found_names:
            findings.append(f"{side} are {found_names}, declared {names}")
            continue
        for spec, other in zip(wanted, there, strict=True):
            findings += _compare_specs(spec, other)
    return findings


def _compare_specs(declared: TensorSpec, found: TensorSpec) -> list[str]:
    findings = []
    if declared.dtype != found.dtype:
        findings.append(f"'{declared.name}' is {found.dtype}, declared {declared.dtype}")
    if len(declared.shape) != len(found.shape):
        return [*findings, f"'{declared.name}' has the shape {list(found.shape)}, declared {list(declared.shape)}"]
    for axis, (wanted, there) in enumerate(zip(declared.shape, found.shape, strict=True)):
        if isinstance(wanted, str) and isinstance(there, int):
            findings.append(f"axis {axis} of '{declared.name}' ('{wanted}') is frozen at {there}")
        elif isinstance(wanted, int) and isinstance(there, int) and wanted != there:
            findings.append(f"axis {axis} of '{declared.name}' is {there}, declared {wanted}")
    return findings


def compare_outputs(
    declared: Signature, reference: Sequence[Tensors], export: Sequence[Tensors], inputs: Sequence[Tensors]
) -> list[str]:
    """Return what differs exactly over all cases: shapes, dtypes, places of NaN and Inf, integer and string values."""
    findings: dict[str, None] = {}
    for case, (wanted, there) in enumerate(zip(reference, export, strict=True)):
        sizes = ", ".join(f"{name}{list(array.shape)}" for name, array in inputs[case].items())
        for spec in declared.outputs:
            if spec.name in there:
                for text in _compare_arrays(spec, wanted[spec.name], there[spec.name]):
                    findings.setdefault(f"{text} (case {case}: {sizes})")
    return list(findings)


def _compare_arrays(spec: TensorSpec, reference: Array, export: Array) -> list[str]:
    if reference.shape != export.shape:
        return [f"'{spec.name}' came out as {list(export.shape)}, the source gives {list(reference.shape)}"]
    if str(export.dtype) != spec.dtype:
        return [f"'{spec.name}' came out as {export.dtype}, declared {spec.dtype}"]
    if not is_float(spec):
        wrong = int(np.count_nonzero(reference.astype(export.dtype) != export))
        return [f"'{spec.name}' differs in {wrong} of {export.size} values"] if wrong else []
    return [
        f"'{spec.name}' has {kind} in other places than the source"
        for kind, test in (("NaN", np.isnan), ("+Inf", np.isposinf), ("-Inf", np.isneginf))
        if not np.array_equal(test(reference), test(export))
    ]


def changed_decisions(reference: Array, export: Array, allowed: float) -> int:
    """Return in how many rows the largest class is another though the float64 margin is beyond ``allowed``.

    Args:
        reference: float64 scores  # [..., class]
        export: the export's scores, the same shape.
        allowed: absolute rounding of one score; a margin within twice of it decides nothing.
    """
    if reference.ndim < 1 or reference.shape[-1] < FEWEST_CLASSES or reference.size == 0:
        return 0
    wanted = reference.reshape(-1, reference.shape[-1])
    chosen = np.nanargmax(np.nan_to_num(export.reshape(wanted.shape), nan=-np.inf), axis=1)
    best = np.nan_to_num(wanted, nan=-np.inf).max(axis=1)
    margin = best - wanted[np.arange(len(wanted)), chosen]
    return int(np.count_nonzero(margin > 2 * allowed))


def is_float(spec: TensorSpec) -> bool:
    return "float" in spec.dtype
