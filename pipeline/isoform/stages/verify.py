"""The verb verify: does an artifact compute the same function as its source, on this runtime, on this machine?

`verify` judges one model on one runtime; `verify_folder` and `verify_file` do so for what stands on disk. Nothing is
written into an artifact.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core import precision as precisions
from isoform.core.artifact import CASES_NAME, RECORD_NAME, Artifact, open_artifact, read_record, size_bytes
from isoform.core.axes import axes
from isoform.core.cases import INTEGERS, Cases, Tensors
from isoform.core.integer_steps import EXACT_SUMS
from isoform.core.matching import UNEXPLAINED, lost
from isoform.core.parity import FAIL, NOT_CHECKED, PASS, Gate, ParityRecord, assess
from isoform.core.signature import Signature
from isoform.core.structure import compare_runs, signature_of
from isoform.core.verification import Verification
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.intake import npz_file
from isoform.intake.container import identify
from isoform.isolation import Pool
from isoform.stages import answers, decisions, semantics

ORT_CPU = "ort-cpu"
LEDGER_NAME = "weights.json"
_NAMED = 8
"""How many tensors a remark names."""
_ABSENT = ("no-device", "missing-dependency")
"""Errors that mean: this machine has no such runtime. They are no verdict on the artifact."""


def verify(
    artifact: Artifact,
    cases: Cases,
    row: registry.Runtime,
    pool: Pool,
    weights: Gate,
    function: Gate,
    file_findings: Sequence[str] = (),
    decided: Cases | None = None,
) -> ParityRecord:
    """Return the record of ``artifact`` on one runtime; what cannot run here says so and is never a pass.

    Args:
        decided: samples with the source's decisions, for an artifact of a smaller precision.
    """
    begin = time.monotonic()
    try:
        outputs, said = answers.run(artifact, cases, row, pool)
    except MissingDependency as error:
        return ParityRecord.not_verified(row.name, error.what)
    except IsoformError as error:
        if error.kind in _ABSENT:
            return ParityRecord.not_verified(row.name, error.what)
        return ParityRecord.failed_to_run(row.name, error)
    failures = {int(case): why for case, why in said["failures"].items()}
    findings = [*file_findings, *compare_runs(artifact.signature, cases.inputs, failures)]
    ran = cases.only([case for case in range(len(cases)) if case not in failures])
    found = Signature.from_json(said["signature"])
    is_reduced = precisions.lookup(artifact.precision).is_reduced
    task = decisions.evaluate(artifact, decided, row, pool) if is_reduced else None

    def assessed(outputs: Sequence[Tensors]) -> ParityRecord:
        return assess(
            row.name, artifact.signature, found, ran, outputs, weights, function, findings, artifact.precision, task
        )

    record = assessed(outputs)
    if cases.method == INTEGERS and row.name == ORT_CPU and record.gates["numerics"].verdict != PASS:
        exact, _ = answers.run(artifact, ran, row, pool, {"has_exact_sums": True})
        if assessed(exact).gates["numerics"].verdict == PASS:
            record = _told_of_sums(record)
    by_case = dict(zip((case for case in range(len(cases)) if case not in failures), outputs, strict=True))
    kept = axes(artifact.signature, found, cases.inputs, cases.reference or (), by_case, failures)
    return replace(record, axes=kept, seconds=time.monotonic() - begin, versions=said["versions"])


def match_weights(
    artifact: Artifact,
    folder: Path,
    pool: Pool,
    onnx: Path | None = None,
    float32: Path | None = None,
    integers: Path | None = None,
) -> tuple[Gate, dict[str, Any]]:
    """Return gate 1 against the source's weights in ``folder``, and the ledger for later checks without them.

    Args:
        onnx: the graph on the way to the artifact, where there was one; asked what it computes from lost parameters.
        float32: the file of the same format that an artifact of less than float32 was made of; the graph, with
            ``integers``: the graph that an artifact of integers was written from.

    Raises:
        IsoformError: the weights of the artifact cannot be read.
    """
    row = registry.runtime(formats.lookup(artifact.format).runtime)
    arguments = {
        "runtime": row.name,
        "artifact": artifact.to_json(),
        "folder": str(folder),
        "onnx": str(onnx) if onnx is not None else None,
        "float32": str(float32) if float32 is not None else None,
        "integers": str(integers) if integers is not None else None,
    }
    value = pool.call("isoform.jobs.infer:match_weights", arguments, needs=row.extra).value
    findings = [lost(entry) for entry in value["explanations"] if entry["how"] == UNEXPLAINED] + value["altered"]
    remarks = [f"only in the export: {_some(value['strangers'])}"] if value["strangers"] else []
    counts = Counter(entry["how"] for entry in value["explanations"])
    summary = ", ".join(f"{count} {how}" for how, count in counts.items())
    return Gate(FAIL if findings else PASS, (*findings, f"parameters: {summary}", *remarks)), value["ledger"]


def verify_path(path: Path, cases: Path | None, runtimes: Sequence[registry.Runtime], pool: Pool) -> Verification:
    """Return what was found out about an artifact's folder, or about any model file held against ``cases``.

    Raises:
        IsoformError: not an artifact, or its cases are damaged.
    """
    if cases is not None and not (path / RECORD_NAME).is_file():
        return Verification(path, tuple(verify_file(path, cases, pool, runtimes)), size_bytes(path), {})
    records = tuple(verify_folder(path, pool, runtimes, cases))
    versions = {name: text for step in read_record(path)["route"] for name, text in step["versions"].items()}
    return Verification(path, records, size_bytes(open_artifact(path).model), versions)


def verify_folder(
    folder: Path, pool: Pool, runtimes: Sequence[registry.Runtime] = (), cases: Path | None = None
) -> list[ParityRecord]:
    """Return one record a runtime for a published artifact, from its own cases and ledger or from other ``cases``.

    Raises:
        IsoformError: not an artifact, or its cases are damaged.
    """
    artifact, record = open_artifact(folder), read_record(folder)
    known = _known(cases or folder / CASES_NAME)
    altered = store.altered_files(folder, record["files"])
    findings = [f"{name} is not the file that was exported: its SHA-256 differs" for name in altered]
    weights = _ledger_gate(artifact, store.read_json(folder / LEDGER_NAME), pool)
    function = semantics.evaluate(artifact, known, pool)
    task = folder / decisions.TASK_NAME
    decided = _known(task) if task.is_file() else None
    return [
        verify(artifact, known, row, pool, weights, _recorded(function, record, row, altered), findings, decided)
        for row in rows(artifact.format, runtimes)
    ]


def verify_file(path: Path, cases: Path, pool: Pool, runtimes: Sequence[registry.Runtime] = ()) -> list[ParityRecord]:
    """Return one record a runtime for any model file, against recorded reference outputs.

    Its signature is taken from the cases; names of dynamic dimensions are not known, so none counts as frozen.
    """
    known = _known(cases)
    artifact = Artifact(identify(path).format, path.resolve(), signature_of(known))
    weights = Gate(NOT_CHECKED, ("not checked: the cases hold no weights",))
    function = semantics.evaluate(artifact, known, pool)
    return [verify(artifact, known, row, pool, weights, function) for row in rows(artifact.format, runtimes)]


def _told_of_sums(record: ParityRecord) -> ParityRecord:
    numerics = record.gates["numerics"]
    told = f"this processor has no VNNI, so ONNX Runtime cuts integer sums off: with {EXACT_SUMS} = 1 it passes"
    gates = {**record.gates, "numerics": replace(numerics, findings=(*numerics.findings, told))}
    return replace(record, gates=gates, headline=f"{record.headline}; {told}")


def _recorded(found: Gate, record: Mapping[str, Any], row: registry.Runtime, altered: Sequence[str]) -> Gate:
    """Return ``found``, or what the gate said when these very files were written where it cannot be asked here.

    It is a gate of the file: where none was recorded for this runtime, which may not have been there, another's stands.
    """
    if found.verdict != NOT_CHECKED or altered:
        return found
    known = [record["parity"].get(row.name, {}), *record["parity"].values()]
    before = next((each["gates"]["semantics"] for each in known if "semantics" in each.get("gates", {})), None)
    return (
        found if before is None else Gate(before["verdict"], (*before["findings"], "as recorded when it was written"))
    )


def _known(path: Path) -> Cases:
    npz_file.refuse_bombs(path)
    return case_files.load(path)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more


def rows(format_name: str, chosen: Sequence[registry.Runtime]) -> tuple[registry.Runtime, ...]:
    """Return the runtimes that a format is verified on: of those ``chosen`` the ones that open it, else all of its own.

    Raises:
        UsageError: none of the chosen ones opens it.
    """
    found = tuple(row for row in chosen if format_name in row.formats) if chosen else registry.runtimes_of(format_name)
    if not found:
        there = ", ".join(row.name for row in registry.runtimes_of(format_name)) or "none"
        raise UsageError(f"None of these runtimes opens '{format_name}'.", f"Runtimes that do: {there}.")
    return found


def _ledger_gate(artifact: Artifact, recorded: Mapping[str, Any] | None, pool: Pool) -> Gate:
    if recorded is None:
        return Gate(NOT_CHECKED, (f"not checked: no {LEDGER_NAME} beside the model",))
    row = registry.runtime(formats.lookup(artifact.format).runtime)
    arguments = {"runtime": row.name, "artifact": artifact.to_json(), "ledger": dict(recorded)}
    try:
        registry.require(row)
        findings = pool.call("isoform.jobs.infer:check_ledger", arguments, needs=row.extra).value["findings"]
    except IsoformError as error:
        return Gate(NOT_CHECKED, (f"not checked: {error.what}",))
    return Gate(FAIL if findings else PASS, tuple(findings))
