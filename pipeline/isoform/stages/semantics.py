"""Gate 2: the file that was written, evaluated in float64, against its source in float64.

What is evaluated is the file itself: as a graph read from it (ONNX, ORT, TFLite), else on its format's runtime
(TorchScript, PT2, SavedModel). Where that cannot be, it is the graph that the file was written from, and the gate says
so. Not aware of float32: that is stages/verify.py.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from isoform import registry
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core import precision as precisions
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.parity import FAIL, INCONCLUSIVE, NOT_CHECKED, PASS, Gate
from isoform.core.semantics import LIMIT, can_be_judged, chosen, ratios, untold
from isoform.errors import IsoformError, MissingDependency
from isoform.isolation import Pool


def evaluate(artifact: Artifact, cases: Cases, pool: Pool, onnx: Path | None = None) -> Gate:
    """Return gate 2: the file in float64 against the source in float64.

    Args:
        onnx: the graph on the way to the artifact; asked where the file itself cannot be evaluated in float64.
    """
    if not can_be_judged(cases):
        return Gate(NOT_CHECKED, ("not checked: the reference is not in float64",))
    row, some = precisions.lookup(artifact.precision), cases.only(chosen(cases))
    if row.is_integer:
        return Gate(NOT_CHECKED, ("not checked: what its weights were before they were integers is not here",))
    weights = f", weights rounded to {row.stored}" if row.stored else ""
    try:
        return _judged(some, _in_float64(artifact, some, pool), row.roundoff, weights)
    except IsoformError as error:
        reason = error.what
    if onnx is None or row.is_reduced:  # the graph on the way is that of the float32 file
        return Gate(NOT_CHECKED, (f"not checked: {reason}",))
    try:
        found = _in_float64(Artifact("onnx", onnx, artifact.signature), some, pool)
    except IsoformError as error:
        return Gate(NOT_CHECKED, (f"not checked: {reason}; nor is the graph that it was written from: {error.what}",))
    return _judged(
        some, found, row.roundoff, f", of the graph that it was written from; the file itself is not checked: {reason}"
    )


def of_integers(artifact: Artifact, cases: Cases, float32: Path, integers: Path, pool: Pool) -> Gate:
    """Return gate 2 of an artifact of integers: it means what the graph that it was made of means with those weights.

    That graph is held against the source first, so that all that is left open is what rounding itself does, which gate
    4 asks. Rounding of activations is left out of both.

    Args:
        float32: the ONNX graph before. integers: the graph of integers that the artifact was written from.
    """
    if not can_be_judged(cases):
        return Gate(NOT_CHECKED, ("not checked: the reference is not in float64",))
    some, before = cases.only(chosen(cases)), Artifact("onnx", float32, artifact.signature)
    try:
        function = _judged(some, _in_float64(before, some, pool), "float32", ", of the graph before it had integers")
        if function.verdict != PASS:
            return function
        expected = _in_float64(before, some, pool, integers)
    except IsoformError as error:
        return Gate(NOT_CHECKED, (f"not checked: {error.what}",))
    return held_against(artifact, _expecting(some, expected), pool)


def answered_by(artifact: Artifact, cases: Cases, pool: Pool) -> Cases:
    """Return some of ``cases`` with what an artifact of integers itself answers in float64, only its weights rounded.

    Raises:
        IsoformError: it cannot be evaluated in float64.
    """
    some = cases.only(chosen(cases))
    return _expecting(some, _in_float64(artifact, some, pool))


def held_against(artifact: Artifact, known: Cases, pool: Pool) -> Gate:
    """Return gate 2 of an artifact of integers against what it has to answer in float64 if only weights are rounded."""
    try:
        return _judged(known, _in_float64(artifact, known, pool), "float32", ", weights as their integers stand for")
    except IsoformError as error:
        return Gate(NOT_CHECKED, (f"not checked: {error.what}",))


def _expecting(cases: Cases, answers: Sequence[Tensors]) -> Cases:
    return replace(cases, reference=tuple(answers), source=tuple(answers))


def _judged(cases: Cases, evaluated: Sequence[Tensors], roundoff: str, of: str = "") -> Gate:
    found = ratios(cases, evaluated, roundoff)
    beyond = [f"'{name}' means something else: R_sem {ratio:.3g} > {LIMIT:g}" for name, ratio in found.items()
              if ratio > LIMIT]  # fmt: skip
    open_ones = [
        f"'{name}': off by {share:.1e} of its size in float64, where the source in float32 has no three good digits"
        for name, share in untold(cases, evaluated).items()
    ]
    worst = f"R_sem {max(found.values(), default=0.0):.2g} at most{of}"
    return Gate(FAIL if beyond else INCONCLUSIVE if open_ones else PASS, (*beyond, *open_ones, worst))


def _in_float64(artifact: Artifact, cases: Cases, pool: Pool, integers: Path | None = None) -> Sequence[Tensors]:
    own = formats.lookup(artifact.format)
    row = registry.runtime(own.runtime)
    if own.is_graph:
        job, needs = "isoform.jobs.semantics:evaluate", "torch"
        if find_spec("torch") is None:
            raise MissingDependency.of("torch", "float64", "torch")
    else:
        job, needs = "isoform.jobs.float64:evaluate", row.extra
        registry.require(row)
    with tempfile.TemporaryDirectory(prefix="isoform-verify.") as scratch:
        given, answered = Path(scratch) / "cases.npz", Path(scratch) / "outputs.npz"
        case_files.save(Cases(cases.kinds, cases.inputs), given)
        arguments = {
            "runtime": row.name, "artifact": artifact.to_json(), "cases": str(given), "outputs": str(answered),
            "integers": str(integers) if integers is not None else None,
        }  # fmt: skip
        pool.call(job, arguments, needs=needs)
        return case_files.load(answered).inputs
