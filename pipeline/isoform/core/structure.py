"""Gate 0: is it the same function on the outside? Names, order, dtypes, shapes, NaN and Inf, exact outputs. All exact.

Not aware of files or runtimes: it compares a declared signature with one that a runtime read back, and arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.cases import Cases, Tensors
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


def compare_outputs(declared: Signature, cases: Cases, export: Sequence[Tensors]) -> list[str]:
    """Return what differs exactly over all cases: shapes, dtypes, places of NaN and Inf, integer and string values.

    Where float32 and float64 answer differently, as an overflow or an index between two equal scores, both are right.
    Integers that stand for numbers are not exact: gate 3 counts their steps.
    """
    assert cases.reference is not None
    assert cases.source is not None
    findings: dict[str, None] = {}
    for case, rows in enumerate(zip(cases.reference, cases.source, export, strict=True)):
        reference, source, found = rows
        for spec in declared.outputs:
            if spec.name in found:
                known, is_counted = (reference[spec.name], source[spec.name]), spec.name in cases.steps
                for text in _compare_arrays(spec, known, found[spec.name], is_counted):
                    findings.setdefault(f"{text} (case {case}: {_sizes(cases.inputs[case])})")
    return list(findings)


def _compare_arrays(spec: TensorSpec, known: tuple[Array, Array], export: Array, is_counted: bool) -> list[str]:
    if known[0].shape != export.shape:
        return [f"'{spec.name}' came out as {list(export.shape)}, the source gives {list(known[0].shape)}"]
    dtype = "string" if export.dtype.kind in "OSU" else str(export.dtype)
    if dtype != spec.dtype:
        return [f"'{spec.name}' came out as {dtype}, declared {spec.dtype}"]
    if not is_float(spec):
        if is_counted:
            return []
        right = [_exact(array) == _exact(export) for array in known]
        wrong = int(np.count_nonzero(~(right[0] | right[1])))
        return [f"'{spec.name}' differs in {wrong} of {export.size} values"] if wrong else []
    return [
        f"'{spec.name}' has {kind} in other places than the source"
        for kind, test in (("NaN", np.isnan), ("+Inf", np.isposinf), ("-Inf", np.isneginf))
        if not any(np.array_equal(test(array), test(export)) for array in known)
    ]


def _exact(array: Array) -> Array:
    """Return the values in a form that compares: text as str, whether a runtime gave bytes, objects or characters."""
    if array.dtype.kind == "S" or (array.dtype.kind == "O" and array.size and isinstance(array.flat[0], bytes)):
        return np.char.decode(array.astype(bytes), "utf-8")
    return array.astype(str) if array.dtype.kind == "O" else array


def compare_runs(declared: Signature, inputs: Sequence[Tensors], failures: Mapping[int, str]) -> list[str]:
    """Return a finding for each dynamic dimension that runs at some sizes and never at others, else for each failure.

    Args:
        failures: by case, why it did not run.
    """
    findings = []
    for symbol in declared.symbols:
        ran = {size for case, tensors in enumerate(inputs) if case not in failures
               for size in sizes_of(declared, symbol, tensors)}  # fmt: skip
        did_not = {case: sizes_of(declared, symbol, inputs[case]) - ran for case in failures}
        if failures and ran and all(did_not.values()):
            lost = sorted(set().union(*did_not.values()))
            findings.append(
                f"'{symbol}' is frozen: it runs at {sorted(ran)}, not at {lost} ({next(iter(failures.values()))})"
            )
    return findings or [
        f"case {case} ({_sizes(inputs[case])}) does not run: {why}" for case, why in failures.items()
    ]  # fmt: skip


def sizes_of(declared: Signature, symbol: str, tensors: Tensors) -> set[int]:
    """Return the sizes that the dynamic dimension ``symbol`` has in one case's inputs."""
    return {
        size
        for spec in declared.inputs
        for dim, size in zip(spec.shape, tensors[spec.name].shape, strict=True)
        if dim == symbol
    }


def _sizes(tensors: Tensors) -> str:
    return ", ".join(f"{name}{list(array.shape)}" for name, array in tensors.items())


def changed_decisions(reference: Array, export: Array, allowed: float) -> int:
    """Return in how many rows the largest class is another though the float64 margin is beyond ``allowed``.

    Args:
        reference: float64 scores  # [..., class]
        export: the export's scores, the same shape.
        allowed: absolute rounding of one score; a margin within twice of it decides nothing.
    """
    if reference.ndim < 1 or reference.shape[-1] < FEWEST_CLASSES or reference.size == 0:
        return 0
    wanted = reference.reshape(-1, reference.shape[-1]).astype(np.float64)
    chosen = np.nanargmax(np.nan_to_num(export.reshape(wanted.shape), nan=-np.inf), axis=1)
    best = np.nan_to_num(wanted, nan=-np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):  # two infinite scores have no margin
        margin = best - wanted[np.arange(len(wanted)), chosen]
    return int(np.count_nonzero(margin > 2 * allowed))


def is_float(spec: TensorSpec) -> bool:
    return "float" in spec.dtype


def signature_of(cases: Cases) -> Signature:
    """Return the signature that the arrays of ``cases`` have: a dimension of one size in all of them is fixed."""
    assert cases.source is not None, "cases without reference outputs are refused before"
    return Signature(_specs(cases.inputs), _specs(cases.source))


def _specs(column: Sequence[Tensors]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name,
            str(first.dtype),
            tuple(_dim(axis, [case[name].shape[axis] for case in column]) for axis in range(first.ndim)),
        )
        for name, first in column[0].items()
    )


def _dim(axis: int, sizes: Sequence[int]) -> int | str:
    return sizes[0] if len(set(sizes)) == 1 else ("batch" if axis == 0 else f"dim_{axis}")
