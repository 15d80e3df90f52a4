"""Artifacts and references in a store: taken out before anything is done, put in when they passed.

An artifact's key is that of its task. What its record says of a place (name, path of the source, command) is no part of
it and is written anew in each copy.
"""

from collections.abc import Callable
from pathlib import Path

from isoform import registry, store
from isoform.cache import Store, entry_key
from isoform.core import cases as case_files
from isoform.core.artifact import RECORD_NAME
from isoform.core.cases import Cases
from isoform.isolation import Pool
from isoform.stages import reference
from isoform.stages.export.plan import ExportRequest, Task, source_digest
from isoform.stages.export.record import failure_path
from isoform.stages.export.result import Result

ARTIFACT, REFERENCE = "artifact", "reference"
"""Kinds of entries."""


def taken(request: ExportRequest, task: Task) -> str | None:
    """Put the artifact of a task in its place if the store has it, and return what people are told; else None."""
    if request.cache is None or request.is_forced:
        return None
    hit = request.cache.get(
        ARTIFACT, _key(request, task), task.destination, lambda folder: _adopt(request, task, folder / RECORD_NAME)
    )
    if hit is None:
        return None
    failure_path(task).unlink(missing_ok=True)
    return hit.told


def kept(request: ExportRequest, task: Task, result: Result) -> Result:
    """Put an artifact into the store if it passed, or was not to be proved; return ``result``."""
    if request.cache is not None:
        _put(request.cache, request, task, result)
    return result


def shared(request: ExportRequest, task: Task, result: Result) -> Result:
    """Put an artifact that was there already into a store that does not know it; return ``result``."""
    if request.cache is not None and not request.cache.has(ARTIFACT, _key(request, task)):
        _put(request.cache, request, task, result)
    return result


def reference_of(
    request: ExportRequest, cases: Cases, pool: Pool, on_event: Callable[[str, str], None], folder: Path
) -> reference.Reference:
    """Return the references of the source, out of the store or recorded now.

    Raises:
        IsoformError: the source does not open, or does not run on the cases.
    """
    if request.cache is None:
        return reference.record(request.source, cases, pool, folder)
    key = _reference_key(request, cases, folder.with_name(f"{folder.name}-cases.npz"))
    hit = None if request.is_forced else request.cache.get(REFERENCE, key, folder)
    if hit is not None:
        on_event("", f"reference outputs {hit.told}")
        return reference.read(folder)
    before = source_digest(request.source)
    found = reference.record(request.source, cases, pool, folder)
    if source_digest(request.source) == before:
        request.cache.put(REFERENCE, key, f"{request.name}/{request.framework}", folder)
    return found


def _put(cache: Store, request: ExportRequest, task: Task, result: Result) -> None:
    passed = "passed" if request.is_verified else "unverified"
    if result.path is None or result.status != passed:
        return
    files = [*(store.read_json(result.path / RECORD_NAME) or {})["files"], RECORD_NAME]
    name = f"{request.name}/{request.framework}/{task.label}"
    cache.put(ARTIFACT, _key(request, task), name, result.path, files)


def _key(request: ExportRequest, task: Task) -> str:
    return entry_key(task=task.key, notes=list(request.notes))


def _reference_key(request: ExportRequest, cases: Cases, scratch: Path) -> str:
    case_files.save(cases, scratch)  # equal cases give equal bytes
    row = registry.source_runtime(request.source.format)
    versions = {name: registry.version_of(name) for name in sorted({"numpy", *row.needs})}
    return entry_key(
        source=source_digest(request.source), cases=store.digest_file(scratch), runtime=row.name, versions=versions
    )


def _adopt(request: ExportRequest, task: Task, path: Path) -> None:
    """Let a record say where this copy comes from."""
    document = store.read_json(path) or {}
    document |= {"name": request.name, "framework": request.framework, "reproduce": request.command(task.variant)}
    document["source"] = {**document["source"], "path": str(request.origin or request.source.model)}
    store.write_json(path, store.sealed(document))
