"""What ``isoform verify FOLDER --json`` printed, on another machine for example, beside what the records say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from isoform import store
from isoform.core.parity import NOT_VERIFIED, ParityRecord, worst
from isoform.errors import UsageError
from isoform.stages.export.record import status_of
from isoform.stages.report.collect import Collection, Entry


def joined(collection: Collection, path: Path) -> Collection:
    """Return ``collection`` with the verdicts in the file ``path``, each in place of the one on the same runtime.

    An artifact's verdict is the worst of all then. What was not verified there takes no one's place.

    Raises:
        UsageError: it is no such document, or of other files than these.
    """
    try:
        document = store.read_json(path) or {}
        results = {PurePath(each["path"]): each for each in document["results"]}
        entries = tuple(_entry(each, results.pop(PurePath(each.folder), None), path) for each in collection.entries)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            f"{path}: not what isoform verify --json prints.", "isoform verify FOLDER --json > FILE"
        ) from None
    if results:
        raise UsageError(
            f"{path} tells of {min(map(str, results))}, which is not in this report.",
            "Verify and report the same folder, named alike and from one place.",
        )
    return replace(collection, entries=entries)


def _entry(entry: Entry, result: Mapping[str, Any] | None, path: Path) -> Entry:
    if result is None or not entry.is_published:
        return entry
    if result["size_bytes"] != entry.size_bytes:
        raise UsageError(f"{path} is of another file than {entry.folder} holds.", "Verify that folder again.")
    records = [ParityRecord.from_json(found) for found in result["parity"]]
    told = {each.runtime: each for each in records if each.verdict != NOT_VERIFIED or each.runtime not in entry.parity}
    parity = {**entry.parity, **told}
    verdict = worst(tuple(parity.values()))
    record = {**entry.record, "verdict": verdict, "status": status_of(verdict)}
    return replace(entry, record=record, parity=parity)
