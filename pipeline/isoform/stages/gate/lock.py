"""``parity.lock`` on disk: its entries are made from verifications and the ``bench.json`` beside the artifacts."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from isoform import store
from isoform.core.bench import BenchRecord, Timing
from isoform.core.lock import Change, Entry, Latency, Lock
from isoform.core.parity import ParityRecord
from isoform.core.verification import Verification
from isoform.errors import UsageError
from isoform.stages import bench

_ON = " on "


def check(path: Path, found: Iterable[Verification], asked: Iterable[Path], runtimes: Iterable[str]) -> list[Change]:
    """Return how the verifications stand against the lock in ``path``.

    Args:
        asked: the paths that the command was given; entries elsewhere are not missed.
        runtimes: the only ones that were asked for; all where there are none.

    Raises:
        UsageError: there is no lock, or it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no lock.", "Write one first: --update-lock")
    return _read(path).compare(entries(found, path), _scope(path, asked, runtimes))


def update(path: Path, found: Iterable[Verification], asked: Iterable[Path], runtimes: Iterable[str]) -> list[Change]:
    """Write the lock anew from the verifications, and return what has changed; entries not asked for are kept."""
    now, is_asked = entries(found, path), _scope(path, asked, runtimes)
    before = _read(path) if path.is_file() else Lock({})
    store.write_json(path, before.updated(now, is_asked).to_json())
    return before.compare(now, is_asked)


def entries(found: Iterable[Verification], lock: Path) -> dict[str, Entry]:
    """Return one entry an artifact and runtime, by its key in a lock that lies at ``lock``."""
    return {
        f"{_relative(verification.path, lock)}{_ON}{record.runtime}": _entry(verification, record)
        for verification in found
        for record in verification.records
    }


def _entry(verification: Verification, record: ParityRecord) -> Entry:
    return Entry(
        record.verdict,
        round(max((figures.lost_bits for figures in record.outputs), default=0.0), 2),
        verification.size_bytes,
        _latencies(bench.read(verification.path), record.runtime),
        {**verification.versions, **record.versions},
    )


def _latencies(records: Iterable[BenchRecord], runtime: str) -> dict[str, Latency]:
    return {
        f"batch {record.batch}, {timing.threads} thread{'s' * (timing.threads != 1)}": _latency(timing, record)
        for record in records
        if record.runtime == runtime
        for timing in record.timings
    }


def _latency(timing: Timing, record: BenchRecord) -> Latency:
    low, high = timing.interval_ns or timing.range_ns
    return Latency(timing.median_ns, low, high, f"{record.machine.cpu}, {record.machine.cores} cores")


def _read(path: Path) -> Lock:
    try:
        return Lock.from_json(store.read_json(path))
    except UsageError as error:
        raise UsageError(f"{path}: {error.what}", error.hint) from error


def _scope(lock: Path, asked: Iterable[Path], runtimes: Iterable[str]) -> Callable[[str], bool]:
    folders, names = [_relative(path, lock) for path in asked], set(runtimes)

    def is_asked(key: str) -> bool:
        place, _, runtime = key.rpartition(_ON)
        is_below = any(folder in (".", place) or place.startswith(f"{folder}/") for folder in folders)
        return is_below and (not names or runtime in names)

    return is_asked


def _relative(path: Path, lock: Path) -> str:
    return Path(os.path.relpath(path.resolve(), lock.resolve().parent)).as_posix()


def to_json(path: Path, changes: Iterable[Change]) -> Mapping[str, object]:
    """Return the ``lock`` object of verify's ``--json``."""
    told = [{"artifact": change.key, "what": change.what, "regression": change.is_regression} for change in changes]
    return {"path": str(path), "changes": told}
