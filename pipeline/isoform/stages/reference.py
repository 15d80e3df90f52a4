"""What the source itself answers: float64 references, its own float32 outputs, the rounding floor, its weights."""

from dataclasses import dataclass
from pathlib import Path

from isoform import registry, store
from isoform.core import cases as case_files
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases
from isoform.isolation import Pool

_ANSWERS, _WEIGHTS, _NOTES = "reference.npz", "weights", "notes.json"


@dataclass(frozen=True)
class Reference:
    """Cases with recorded outputs, and a folder with the source's parameters for gate 1.

    Attributes:
        notes: what the owner of the record should know, a sentence each.
        decisions: samples of the task with the source's answers, for gate 4; None where nothing is reduced.
    """

    cases: Cases
    weights: Path
    notes: tuple[str, ...] = ()
    decisions: Cases | None = None


def record(source: Artifact, cases: Cases, pool: Pool, folder: Path) -> Reference:
    """Return the references of ``source``, written below ``folder``.

    Raises:
        IsoformError: the source does not open, or does not run on the cases.
    """
    row = registry.source_runtime(source.format)
    folder.mkdir(parents=True, exist_ok=True)
    given, answered = folder / "cases.npz", folder / _ANSWERS
    case_files.save(cases, given)
    shared = {"runtime": row.name, "artifact": source.to_json()}
    root = source.architecture.root if source.architecture else None
    answer = pool.call(
        "isoform.jobs.reference:reference",
        {**shared, "cases": str(given), "outputs": str(answered)},
        needs=row.extra,
        root=root,
    )
    pool.call(
        "isoform.jobs.infer:save_weights", {**shared, "folder": str(folder / _WEIGHTS)}, needs=row.extra, root=root
    )
    store.write_json(folder / _NOTES, answer.value["notes"])
    return read(folder)


def read(folder: Path) -> Reference:
    """Return what `record` wrote below ``folder``."""
    return Reference(
        case_files.load(folder / _ANSWERS), folder / _WEIGHTS, tuple(store.read_json(folder / _NOTES) or ())
    )
