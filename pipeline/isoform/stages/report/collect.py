"""What stands on disk below one folder, ready to be shown. Nothing is computed here that a record does not say."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoform import store
from isoform.core.artifact import RECORD_NAME
from isoform.core.bench import BenchRecord
from isoform.core.format import FORMATS
from isoform.errors import UsageError
from isoform.stages import bench

TRAINING_NAME = "training.json"
FAILURE_SUFFIX = ".failure.json"


@dataclass(frozen=True)
class Entry:
    """One artifact, or the export that failed in its place.

    Attributes:
        record: artifact.json, or the failure.
        measured: the benchmarks of the format's own runtime; none where it was not measured.
    """

    folder: Path
    record: dict[str, Any]
    measured: tuple[BenchRecord, ...] = ()

    @property
    def is_published(self) -> bool:
        return "files" in self.record

    @property
    def source(self) -> str:
        return f"{self.record['name']} · {self.record['framework']}"

    @property
    def format(self) -> str:
        return str(self.record["format"])

    @property
    def anchor(self) -> str:
        return "-".join(str(self.record[key]) for key in ("name", "framework", "format"))

    @property
    def verdict(self) -> str:
        return str(self.record["verdict"]) if self.is_published else "ERROR"

    @property
    def passed(self) -> bool:
        return bool(self.record.get("status") == "passed")

    @property
    def size_bytes(self) -> int:
        """The size of the model itself, without cases and records."""
        model = str(self.record.get("model", ""))
        return sum(
            entry["size_bytes"]
            for name, entry in self.record.get("files", {}).items()
            if name.split("/")[0].startswith(model)
        )


@dataclass(frozen=True)
class Training:
    """One training's record, and whose it is."""

    name: str
    framework: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Collection:
    """Everything below a folder, in the order in which it is shown."""

    entries: tuple[Entry, ...]
    trainings: tuple[Training, ...] = field(default=())

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(format, runtime) of every verification there is."""
        found = {(entry.format, runtime) for entry in self.entries for runtime in entry.record.get("parity", {})}
        found |= {(entry.format, FORMATS[entry.format].runtime) for entry in self.entries if entry.format in FORMATS}
        return sorted(found)

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(entry.source for entry in self.entries))

    def entry(self, source: str, format_name: str) -> Entry | None:
        return next((each for each in self.entries if (each.source, each.format) == (source, format_name)), None)


def collect(folder: Path) -> Collection:
    """Return the records below ``folder``.

    Raises:
        UsageError: there is no such folder, or nothing was exported into it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder.", "Export something first: isoform export models/mlp")
    entries = tuple(sorted(_entries(folder), key=lambda entry: (entry.source, entry.format)))
    if not entries:
        raise UsageError(f"{folder}: no artifact below it.", "Export something first: isoform export models/mlp")
    return Collection(entries, tuple(_trainings(folder)))


def _entries(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.rglob("*.json")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        record = store.read_json(path)
        if not isinstance(record, dict) or not {"name", "framework", "format"} <= record.keys():
            continue
        if path.name == RECORD_NAME:
            yield Entry(path.parent, record, tuple(bench.read(path.parent)))
        elif path.name.endswith(FAILURE_SUFFIX) and not _is_stale(path):
            yield Entry(path.parent, record)


def _is_stale(failure: Path) -> bool:
    """Tell whether an artifact stands beside a failure: then the artifact is shown."""
    return (failure.parent / failure.name.removesuffix(FAILURE_SUFFIX) / RECORD_NAME).is_file()


def _trainings(folder: Path) -> Iterator[Training]:
    for path in sorted(folder.glob(f"*/*/training/{TRAINING_NAME}")):
        record = store.read_json(path)
        if isinstance(record, dict) and record.get("epochs"):
            yield Training(path.parts[-4], path.parts[-3], record)
