"""The documents that export leaves on disk: ``artifact.json`` beside a model, or a failure in its place."""

import platform
import shutil
from pathlib import Path
from typing import Any

from isoform import store
from isoform.core.artifact import SCHEMA_VERSION, Artifact
from isoform.core.parity import NOT_VERIFIED, PASS, WARN, ParityRecord, worst
from isoform.errors import IsoformError
from isoform.routes import Route
from isoform.stages.export.build import Built
from isoform.stages.export.plan import ExportRequest, Task, versions
from isoform.stages.export.result import Attempt

_STATUS = {PASS: "passed", WARN: "passed", NOT_VERIFIED: "unverified"}
"""A warning passes: its weights and its function are proved, its runtime is less exact than others are."""


def status_of(verdict: str) -> str:
    """Return "passed", "unverified" or "failed"."""
    return _STATUS.get(verdict, "failed")


def document(
    request: ExportRequest,
    task: Task,
    route: Route,
    built: Built,
    records: list[ParityRecord],
    tried: list[Attempt],
    folder: Path,
) -> dict[str, Any]:
    """Return the ``artifact.json`` of ``folder``, which holds everything but this record."""
    verdict = worst(records)
    tokenizer = _add_tokenizer(request.source, folder)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": request.name,
        "framework": request.framework,
        "format": task.format,
        "precision": task.precision,
        "reduction": built.reduction.to_json() if built.reduction else None,
        "model": built.artifact.model.name,
        "signature": built.artifact.signature.to_json(),
        "tokenizer": tokenizer,
        "files": store.inventory(folder),
        "source": {
            "format": request.source.format,
            "path": str(request.origin or request.source.model),
            "sha256": task.source,
            "notes": list(request.notes),
        },
        "route": [step.to_json() for step in built.steps],
        "tried": [attempt.to_json() for attempt in tried],
        "parity": {entry.runtime: entry.to_json() for entry in records},
        "verdict": verdict,
        "status": status_of(verdict),
        "key": task.key,
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": versions((route,)),
        },
        "reproduce": request.command(task.variant),
    }


def failure_path(task: Task) -> Path:
    """Return where a failed export says why; the folder of an earlier artifact stays as it is."""
    return task.destination.with_name(f"{task.label}.failure.json")


def failure(request: ExportRequest, task: Task, tried: list[Attempt], error: IsoformError) -> dict[str, Any]:
    """Return the record of an export that gave no artifact."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": request.name,
        "framework": request.framework,
        "format": task.format,
        "precision": task.precision,
        "status": "failed",
        "error": error.to_json(),
        "tried": [attempt.to_json() for attempt in tried],
        "reproduce": request.command(task.variant),
    }


def parity_error(records: list[ParityRecord]) -> IsoformError:
    """Return the error that stands for a verdict which is not a pass."""
    worst = next(entry for entry in records if status_of(entry.verdict) == "failed")
    return IsoformError(f"{worst.runtime}: {worst.headline}", "See the parity section of artifact.json.", kind="parity")


def _add_tokenizer(source: Artifact, folder: Path) -> str | None:
    if source.tokenizer is None:
        return None
    shutil.copyfile(source.tokenizer, folder / "tokenizer.json")
    return "tokenizer.json"
