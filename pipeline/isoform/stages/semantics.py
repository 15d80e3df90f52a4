"""Gate 2: the file that was written, evaluated in float64, against its source in float64.

What is evaluated is the file itself: as a graph read from it (ONNX, ORT, TFLite), else on its format's runtime
(TorchScript, PT2, SavedModel). Where that cannot be, it is the graph that the file was written from, and the gate says
so. Not aware of float32: that is stages/verify.py.
"""

import tempfile
from collections.abc import Sequence
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
        return Gate(NOT_CHECKED, (f"not checked: {row.name} rounds in every operator; decisions are compared instead",))
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


def _in_float64(artifact: Artifact, cases: Cases, pool: Pool) -> Sequence[Tensors]:
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
        arguments = {"runtime": row.name, "artifact": artifact.to_json(), "cases": str(given), "outputs": str(answered)}
        pool.call(job, arguments, needs=needs)
        return case_files.load(answered).inputs
