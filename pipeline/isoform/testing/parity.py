"""`assert_parity`: does one model compute the same function as another, by the rules of every verdict of isoform?"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core import generation
from isoform.core.artifact import CASES_NAME, RECORD_NAME
from isoform.core.cases import Cases, Tensors
from isoform.core.parity import NOT_CHECKED, NOT_VERIFIED, PASS, Gate, ParityRecord, assess
from isoform.core.signature import Signature, TensorSpec
from isoform.core.structure import signature_of
from isoform.errors import UsageError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool
from isoform.jobs.observe import observed
from isoform.jobs.reference import around_centre, in_float64
from isoform.stages import reference, verify
from isoform.testing.subjects import Callee

Subject = str | Path | Callable[..., Any]
"""A model file, an artifact's folder, or something to call: a torch module with tensors, else a function of arrays."""


def assert_parity(
    a: Subject,
    b: Subject,
    *,
    inputs: Sequence[str] = (),
    cases: str | Path | Sequence[Mapping[str, Any]] | None = None,
    arch: str | None = None,
    arch_arguments: Mapping[str, Any] | None = None,
    runtimes: Sequence[str] = (),
) -> None:
    """Return if ``b`` computes the same function as ``a``, by structure and by float64-referenced numerics.

    A torch module and a file whose source runs in float64 are their own reference. Any other callable is compared with
    the centre of its runs on disturbed inputs, which is weaker, and the text says so.

    Args:
        a: the reference. Of an artifact's folder, the recorded answers of its source.
        inputs: as ``--input``: ``"image:float32[batch,3,224,224]"``; 32 input sets are made for them. Files that say
            their inputs themselves need none.
        cases: input sets of your own instead: an npz (as ``--cases``), or mappings from names to arrays.
        arch: ``file.py:callable``, where ``a`` is a file of weights.
        runtimes: on which ``b`` runs where it is a file; default: those of its format that are here.

    Raises:
        AssertionError: it does not, or could not be verified on any runtime; the text names the outputs, the bits lost
            and where.
        IsoformError: one of the two does not open or run, or the request is not complete.
    """
    with tempfile.TemporaryDirectory(prefix="isoform-parity.") as folder, Pool(Path(folder) / "logs") as pool:
        workspace = Path(folder)
        known = _known(a, inputs, cases, FileRequest(_path(a), arch, arch_arguments), pool, workspace)
        records = _records(b, known, runtimes, pool, workspace)
    ran = [record for record in records if record.verdict != NOT_VERIFIED]
    if not ran or any(record.verdict != PASS for record in ran):
        raise AssertionError("\n".join(line for record in ran or records for line in record.lines()))


def _path(subject: Subject) -> Path:
    return Path(subject) if isinstance(subject, (str, Path)) else Path()


def _known(
    a: Subject,
    inputs: Sequence[str],
    cases: str | Path | Sequence[Mapping[str, Any]] | None,
    request: FileRequest,
    pool: Pool,
    workspace: Path,
) -> Cases:
    """Return the cases with what ``a`` answers to them."""
    specs = [TensorSpec.parse(text) for text in inputs]
    if isinstance(a, (str, Path)):
        if (request.path / RECORD_NAME).is_file() and cases is None:
            return case_files.load(request.path / CASES_NAME)
        opened = from_file(replace(request, inputs=specs), pool, workspace)
        signature = opened.artifact.signature
        made = _given(cases, signature) or generation.generate(signature, (), opened.sizes)
        return reference.record(opened.artifact, made, pool, workspace / "reference").cases
    callee = Callee(a)
    if cases is None:
        if not specs:
            raise UsageError("What can be called does not say its inputs.", "Give inputs= or cases=.")
        seen = observed(specs, callee)
        made = generation.generate(seen.signature, (), seen.sizes)
    else:
        made = _given(cases, Signature(tuple(specs), ()))
    source: list[Tensors] = [callee(case) for case in made.inputs]
    record = in_float64 if callee.is_module else around_centre
    return record(callee.answers, made, source, lambda **event: None)


def _given(cases: str | Path | Sequence[Mapping[str, Any]] | None, signature: Signature) -> Any:
    if cases is None:
        return None
    if isinstance(cases, (str, Path)):
        return case_files.from_user(Path(cases), signature)
    if not cases:
        raise UsageError("cases= is empty.", "Give at least one mapping from input names to arrays.")
    return Cases(("given",) * len(cases), tuple(dict(case) for case in cases))


def _records(b: Subject, known: Cases, runtimes: Sequence[str], pool: Pool, workspace: Path) -> Sequence[ParityRecord]:
    if isinstance(b, (str, Path)):
        recorded = workspace / "cases.npz"
        case_files.save(known, recorded)
        rows = [registry.runtime(name) for name in runtimes]
        return verify.verify_path(Path(b), recorded, rows, pool).records
    declared = signature_of(known)
    callee = Callee(b, [spec.name for spec in declared.outputs])
    outputs: list[Tensors] = [callee(case) for case in known.inputs]
    found = signature_of(replace(known, source=tuple(outputs), reference=tuple(outputs)))
    unchecked = Gate(NOT_CHECKED, ("not checked: what is called is no file",))
    return [assess(callee.name, declared, found, known, outputs, unchecked, unchecked)]
