"""What stands on disk below one folder, ready to be shown. Nothing is computed here that a record does not say.

A record that is not whole is named as unreadable; it never stops the page.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from isoform import store
from isoform.core.artifact import RECORD_NAME, SCHEMA_VERSION
from isoform.core.bench import BENCH_NAME, BenchRecord
from isoform.core.format import FORMATS, beside
from isoform.core.frameworks import COMPARE_NAME, Compared
from isoform.core.frameworks import SCHEMA_VERSION as COMPARE_VERSION
from isoform.core.parity import ERROR, ParityRecord
from isoform.core.self_test import SelfTest
from isoform.errors import UsageError
from isoform.stages import bench, self_test
from isoform.stages.report.text import anchor

FULL_PRECISION = "fp32"
TRAINING_NAME = "training.json"
FAILURE_SUFFIX = ".failure.json"
_IN_COLOURS = ("onnx", "savedmodel", "tflite", "torchscript", "pt2", "openvino", "executorch", "ort")
_PLACES = {name: place for place, name in enumerate(_IN_COLOURS)}
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Entry:
    """One artifact, or the export that failed in its place.

    Attributes:
        record: artifact.json, or the failure.
        folder: where it stands.
        parity: by runtime; none for a failure, or where verification was skipped.
        measured: its benchmarks; none where it was not measured.
        written: the same benchmarks as bench.json has them.
        self_test: which planted faults a verification of it catches; None where that was not asked.
    """

    record: dict[str, Any]
    name: str
    framework: str
    format: str
    folder: Path
    parity: dict[str, ParityRecord]
    measured: tuple[BenchRecord, ...] = ()
    written: tuple[dict[str, Any], ...] = ()
    self_test: SelfTest | None = None

    @property
    def is_published(self) -> bool:
        return "files" in self.record

    @property
    def title(self) -> str:
        """The format for people."""
        return FORMATS[self.format].title if self.format in FORMATS else self.format

    @property
    def precision(self) -> str:
        """The precision it was exported in."""
        return str(self.record.get("precision") or FULL_PRECISION)

    @property
    def is_reduced(self) -> bool:
        return self.precision != FULL_PRECISION

    @property
    def reduction(self) -> list[str]:
        """What stays in float32 in a file of less, and why, in sentences."""
        found = self.record.get("reduction")
        if not isinstance(found, dict):
            return []
        kept = [str(name) for name in found.get("kept") or ()]
        more = f" and {len(kept) - 12} more" if len(kept) > 12 else ""
        told = [f"Kept in float32: {', '.join(kept[:12])}{more}."] if kept else []
        return [*(str(note) for note in found.get("notes") or ()), *told]

    @property
    def origin(self) -> str:
        """The framework it came from, and the precision where that was reduced."""
        return f"{self.framework} {self.precision}" if self.is_reduced else self.framework

    @property
    def label(self) -> str:
        """What it is called within its model."""
        return f"{self.title} {self.origin}"

    @property
    def place(self) -> int:
        """The format's colour and shape."""
        return _PLACES.get(self.format, len(_PLACES) - 1)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.name, self.framework, self.format, self.precision

    @property
    def anchor(self) -> str:
        """An identifier within the page; the digest keeps names apart that look alike."""
        parts = self.identity if self.is_reduced else self.identity[:3]
        return f"{anchor(*parts)[:120]}-{store.digest_of(ascii(parts))[:8]}"

    @property
    def verdict(self) -> str:
        return str(self.record["verdict"]) if self.is_published else ERROR

    @property
    def passed(self) -> bool:
        return bool(self.record["status"] == "passed")

    @property
    def failed(self) -> bool:
        return bool(self.record["status"] == "failed")

    @property
    def size_bytes(self) -> int:
        """The size of the model itself, without cases and records."""
        model = str(self.record["model"])
        own = (model, *beside(model))
        return sum(file["size_bytes"] for name, file in self.record["files"].items() if name.split("/")[0] in own)

    def lost_bits(self, runtime: str) -> float | None:
        """The worst output's; None where no output was compared, or nothing ran there."""
        found = self.parity.get(runtime)
        return max((figures.lost_bits for figures in found.outputs), default=None) if found else None


@dataclass(frozen=True)
class Training:
    """One training's record, and whose it is."""

    name: str
    framework: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Collection:
    """Everything below a folder, in the order in which it is shown.

    Attributes:
        compared: the models that were measured in both frameworks.
    """

    entries: tuple[Entry, ...]
    trainings: tuple[Training, ...] = ()
    unreadable: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(format, runtime) of every verification there is, and each format's own runtime."""
        found = {(entry.format, runtime) for entry in self.entries for runtime in entry.parity}
        found |= {(entry.format, FORMATS[entry.format].runtime) for entry in self.entries if entry.format in FORMATS}
        return sorted(found)

    @property
    def planted(self) -> tuple[int, int]:
        """How many planted faults were caught, and how many there were, over all artifacts."""
        tests = [entry.self_test for entry in self.entries if entry.self_test is not None]
        return sum(test.caught for test in tests), sum(len(test.planted) for test in tests)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(entry.name for entry in self.entries))

    def origins(self, name: str) -> list[str]:
        """Framework and precision of everything that was exported of one model: a row each."""
        return list(dict.fromkeys(entry.origin for entry in self.entries if entry.name == name))

    def entry(self, name: str, origin: str, format_name: str) -> Entry | None:
        return self._by_cell.get((name, origin, format_name))

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str, str], Entry]:
        return {(each.name, each.origin, each.format): each for each in self.entries}


def collect(folder: Path) -> Collection:
    """Return the records below ``folder``.

    Raises:
        UsageError: there is no such folder, or nothing was exported into it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder.", "Export something first: isoform export models/mlp")
    entries: list[Entry] = []
    trainings: list[Training] = []
    unreadable: list[str] = []
    for path in _records(folder):
        try:
            found = _training(path) if path.name == TRAINING_NAME else _entry(path)
        except _DAMAGE:
            unreadable.append(path.relative_to(folder).as_posix())
            continue
        if isinstance(found, Training):
            trainings.append(found)
        else:
            entries.append(found)
    compared: tuple[Compared, ...] = ()
    try:
        compared = _compared(folder / COMPARE_NAME)
    except _DAMAGE:
        unreadable.append(COMPARE_NAME)
    if not entries and not unreadable:
        raise UsageError(f"{folder}: no artifact below it.", "Export something first: isoform export models/mlp")
    entries.sort(key=lambda entry: (entry.name, entry.framework, entry.is_reduced, entry.precision, entry.format))
    return Collection(tuple(entries), tuple(trainings), tuple(unreadable), compared)


def _records(folder: Path) -> Iterator[Path]:
    """Give every record; what a model keeps inside its own folder is none, and hidden folders are unfinished."""
    for root, folders, names in os.walk(folder):
        here = Path(root)
        is_artifact = RECORD_NAME in names
        folders[:] = [] if is_artifact else sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            is_failure = name.endswith(FAILURE_SUFFIX) and not name.startswith(".")
            # Beside an artifact, a failure is of a later attempt that left the artifact as it was: that is shown.
            is_stale = is_failure and (here / name.removesuffix(FAILURE_SUFFIX) / RECORD_NAME).is_file()
            if name in (RECORD_NAME, TRAINING_NAME) or (is_failure and not is_stale):
                yield here / name


def _entry(path: Path) -> Entry:
    record = _document(path)
    parity = {name: ParityRecord.from_json(found) for name, found in record.get("parity", {}).items()}
    is_artifact = path.name == RECORD_NAME
    measured = tuple(bench.read(path.parent)) if is_artifact else ()
    tested = self_test.read(path.parent) if is_artifact else None
    written = _written(path.parent) if measured else ()
    _check(record)
    return Entry(
        record, str(record["name"]), str(record["framework"]), str(record["format"]), path.parent, parity, measured,
        written, tested,
    )  # fmt: skip


def _written(folder: Path) -> tuple[dict[str, Any], ...]:
    """Return the benchmarks as they were written."""
    document = store.read_json(folder / BENCH_NAME)
    return tuple(document["records"]) if isinstance(document, dict) else ()


def _check(record: dict[str, Any]) -> None:
    """Read what the page will read, so that damage is found here: KeyError, TypeError or AttributeError."""
    str(record["status"]), str(record["reproduce"])
    for attempt in record["tried"]:
        list(attempt["route"]), str(attempt["error"]["message"])
    if "files" not in record:
        str(record["error"]["message"]), str(record["error"]["hint"])
        return
    str(record["verdict"]), str(record["model"])
    for file in record["files"].values():
        int(file["size_bytes"]), str(file["sha256"])
    for step in record["route"]:
        str(step["converter"]), float(step["seconds"]), int(step["peak_rss_bytes"]), step["versions"].items()


def _training(path: Path) -> Training:
    record = _document(path)
    dataset = record["dataset"]
    if not record["epochs"] or not {"name", "is_generated"} <= dataset.keys():
        raise ValueError(path.name)
    for epoch in record["epochs"]:
        float(epoch["loss"]), float(epoch["accuracy"])
    name = path.parents[2].name
    return Training(name, str(record["framework"]), record | {"test_accuracy": float(record["test_accuracy"])})


def _compared(path: Path) -> tuple[Compared, ...]:
    """Return what `isoform compare` measured; nothing where it never did."""
    if not path.exists():
        return ()
    record = store.read_json(path)
    if not isinstance(record, dict) or record["schema_version"] != COMPARE_VERSION:
        raise ValueError(path.name)
    return tuple(map(Compared.from_json, record["models"]))


def _document(path: Path) -> dict[str, Any]:
    record = store.read_json(path)
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(path.name)
    return record
