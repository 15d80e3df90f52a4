"""What a target does not allow of files that are there: the findings of a profile, and the gate that they make."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from isoform.core.artifact import RECORD_NAME, open_artifact
from isoform.core.parity import FAIL, PASS, Gate, ParityRecord
from isoform.core.profiles import Profile, findings
from isoform.core.signature import Signature
from isoform.core.verification import Verification
from isoform.errors import MissingDependency
from isoform.isolation import Pool
from isoform.stages.inspect import describe

GATE = "profile"


def against(path: Path, profile: Profile, pool: Pool) -> dict[str, Any]:
    """Return what the file at ``path``, or the one of an artifact, holds, with what ``profile`` does not allow of it.

    Raises:
        UsageError: no such path.
        MissingDependency: what reads a TFLite file is not installed.
        IsoformError: nothing here recognises it, or it does not open.
    """
    artifact = open_artifact(path) if (path / RECORD_NAME).is_file() else None
    held = describe(artifact.model if artifact is not None else path, pool)
    if held["format"] == "tflite" and not held.get("operators"):
        raise MissingDependency.of("ai_edge_litert", "reading a TFLite file's operators", "litert")
    if artifact is not None:
        held["signature"] = _with_layouts(held.get("signature"), artifact.signature)
    return held | {"profile": profile.name, "findings": [asdict(each) for each in findings(profile, held)]}


def gate(path: Path, profile: Profile, pool: Pool) -> Gate:
    """Return the gate: failed where something is refused; what is only slow is a remark.

    Raises:
        IsoformError: as `against` does.
    """
    found = against(path, profile, pool)["findings"]
    lines = tuple(line(each) for each in found)
    return Gate(FAIL if any(each["is_refused"] for each in found) else PASS, lines or (allowed(profile.name),))


def line(finding: dict[str, Any]) -> str:
    """Return a finding as one line."""
    return f"{'refused' if finding['is_refused'] else 'slow':<9} {finding['what']}: {finding['why']}"


def allowed(name: str) -> str:
    """Return the line that says that there are no findings."""
    return f"allowed   {name}: nothing in it is refused"


def judged(verification: Verification, profile: Profile, pool: Pool) -> Verification:
    """Return ``verification`` with the gate of ``profile`` in every record that has gates; one that fails decides.

    Raises:
        IsoformError: as `against` does.
    """
    found = gate(verification.path, profile, pool)
    return replace(verification, records=tuple(_joined(record, found) for record in verification.records))


def _joined(record: ParityRecord, found: Gate) -> ParityRecord:
    if not record.gates:
        return record
    gates = {**record.gates, GATE: found}
    if found.verdict != FAIL:
        return replace(record, gates=gates)
    refused = next(each for each in found.findings if each.startswith("refused"))
    told = f"{record.headline}; {GATE}: {' '.join(refused.split())}"
    return replace(record, gates=gates, verdict=FAIL, headline=told)


def _with_layouts(found: dict[str, Any] | None, known: Signature) -> dict[str, Any]:
    """Return the signature of a file with what its artifact knows of the axes: files do not say it."""
    if found is None:
        return known.to_json()
    sides = {}
    for side, specs in (("inputs", known.inputs), ("outputs", known.outputs)):
        rows = found.get(side, [])
        layouts = [spec.layout for spec in specs] if len(specs) == len(rows) else [None] * len(rows)
        sides[side] = [row | ({"layout": layout} if layout else {}) for row, layout in zip(rows, layouts, strict=True)]
    return found | sides
