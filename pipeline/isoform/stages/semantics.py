"""Gate 2: the file that was written, evaluated in float64, against its source in float64.

What is evaluated is the file itself where it can be read as a graph (ONNX, TFLite), else the graph that it was written
from. Not aware of the format's own runtime: that is stages/verify.py.
"""

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Tensors
from isoform.core.parity import FAIL, NOT_CHECKED, PASS, Gate
from isoform.core.semantics import LIMIT, can_be_judged, chosen, ratios
from isoform.errors import IsoformError, MissingDependency
from isoform.isolation import Pool

_READABLE = ("onnx", "tflite")
"""Formats whose file becomes a hub graph without any framework's tracing."""


def evaluate(artifact: Artifact, cases: Cases, pool: Pool, onnx: Path | None = None) -> Gate:
    """Return gate 2: the file's graph in float64 against the source in float64.

    Args:
        onnx: the graph on the way to the artifact; asked instead where the format's own cannot be read so.
    """
    asked = artifact if artifact.format in _READABLE else None
    if asked is None and onnx is not None:
        asked = Artifact("onnx", onnx, artifact.signature)
    if asked is None:
        return Gate(NOT_CHECKED, (f"not checked: {artifact.format} does not run in float64",))
    if not can_be_judged(cases):
        return Gate(NOT_CHECKED, ("not checked: the reference is not in float64",))
    some = cases.only(chosen(cases))
    try:
        found = ratios(some, _in_float64(asked, some, pool))
    except IsoformError as error:
        return Gate(NOT_CHECKED, (f"not checked: {error.what}",))
    beyond = [f"'{name}' means something else: R_sem {ratio:.3g} > {LIMIT:g}" for name, ratio in found.items()
              if ratio > LIMIT]  # fmt: skip
    worst = f"R_sem {max(found.values(), default=0.0):.2g} at most"
    of = "" if asked is artifact else ", of the graph that it was written from"
    return Gate(FAIL if beyond else PASS, (*beyond, worst + of))


def _in_float64(artifact: Artifact, cases: Cases, pool: Pool) -> Sequence[Tensors]:
    if find_spec("torch") is None:
        raise MissingDependency.of("torch", "float64", "torch")
    with tempfile.TemporaryDirectory(prefix="isoform-verify.") as scratch:
        given, answered = Path(scratch) / "cases.npz", Path(scratch) / "outputs.npz"
        case_files.save(Cases(cases.kinds, cases.inputs), given)
        arguments = {"artifact": artifact.to_json(), "cases": str(given), "outputs": str(answered)}
        pool.call("isoform.jobs.semantics:evaluate", arguments, needs="torch")
        return case_files.load(answered).inputs
