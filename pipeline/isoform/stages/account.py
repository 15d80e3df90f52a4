"""The verbs behind ``verify --ledger`` and ``verify --worst-case``: where an error comes from, how large it gets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import cases as case_files
from isoform.core.artifact import CASES_NAME, RECORD_NAME, Artifact, open_artifact
from isoform.core.cases import INTEGERS
from isoform.core.ledger import NONE_FOUND, REPAIRS, Ledger, Stage
from isoform.core.structure import signature_of
from isoform.core.worst_case import WorstCase
from isoform.errors import IsoformError, UsageError
from isoform.intake.container import identify
from isoform.isolation import Pool
from isoform.stages.explain import READABLE, free_folder

Told = Callable[[str], None]


def ledger(path: Path, cases: Path | None, row: registry.Runtime, pool: Pool) -> Ledger:
    """Return the error of an artifact or model file by stages, on one runtime.

    Raises:
        IsoformError: a file cannot be read or run.
    """
    artifact, known = _opened(path, cases)
    arguments = {"artifact": artifact.to_json(), "cases": str(known), "runtime": row.name}
    needs = "torch" if artifact.format in READABLE else row.extra
    registry.require(row)
    value = pool.call("isoform.jobs.ledger:ledger", arguments, needs=needs).value
    stages = tuple(map(Stage.from_json, value["stages"]))
    repair = _repair(arguments, row, pool) if value["is_open"] else value["repair"]
    return Ledger(str(path), row.name, stages, repair, value["kept"])


def _repair(arguments: dict[str, Any], row: registry.Runtime, pool: Pool) -> str:
    """Return the smallest change after which a file passes, each tried in a process of its own."""
    for repair in REPAIRS[row.name]:
        asked = arguments | {"options": dict(repair.options)}
        answer = pool.call(
            "isoform.jobs.ledger:passes", asked, needs=row.extra, is_fresh=True, environment=repair.environment
        )
        if answer.value["passes"]:
            return repair.text
    return NONE_FOUND


def worst_case(
    path: Path, cases: Path | None, row: registry.Runtime, count: int, keep: Path, pool: Pool, on_event: Told
) -> WorstCase:
    """Return the worst of ``count`` inputs that a search made, kept as a case below ``keep``.

    Raises:
        IsoformError: the format's graph cannot be evaluated in float64, or a file cannot be read or run.
    """
    artifact, known = _opened(path, cases)
    if artifact.format not in READABLE:
        raise IsoformError(
            f"{path}: inputs are judged by the file's own graph, which a {artifact.format} file does not show.",
            f"Search with the {' or '.join(READABLE)} file of the same model.",
            kind="no-operators",
        )
    folder = free_folder(keep, path, "-worst")
    folder.mkdir(parents=True)
    target = folder / CASES_NAME
    arguments = {
        "artifact": artifact.to_json(), "cases": str(known), "runtime": row.name, "count": count, "target": str(target),
    }  # fmt: skip
    registry.require(row)

    def tell(event: dict[str, int]) -> None:
        on_event(f"worst case: {event['inputs']} of {event['of']} inputs")

    value = pool.call("isoform.jobs.worst_case:search", arguments, needs="torch", on_progress=tell).value
    return WorstCase(str(path), row.name, value["tried"], value["begin"], value["ratio"], value["limit"], str(target))


def _opened(path: Path, cases: Path | None) -> tuple[Artifact, Path]:
    known = cases or path / CASES_NAME
    if not known.is_file():
        raise UsageError(f"{path}: there are no cases beside it.", "Name the cases.npz of an export with --cases.")
    recorded = case_files.load(known)
    if recorded.method == INTEGERS:
        raise IsoformError(
            f"{path}: a model of integers rounds at every operator, so its error has no stages.",
            "Leave out --ledger and --worst-case.",
            kind="no-float",
        )
    if (path / RECORD_NAME).is_file():
        return open_artifact(path), known
    return Artifact(identify(path).format, path.resolve(), signature_of(recorded)), known
