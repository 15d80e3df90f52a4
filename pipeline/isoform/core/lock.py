"""``parity.lock``: what a repository holds its exports to, and how a new verification stands against it.

A lock is committed. It keeps a verdict, the bits lost, the size and the latency of each artifact on each runtime, with
the versions behind them, so that a regression can be told with its size and with what has changed since. Pure: reading
and writing are stages/lock.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isoform.core.parity import INCONCLUSIVE, NOT_VERIFIED, PASS, WARN
from isoform.errors import UsageError

LOCK_NAME = "parity.lock"
SCHEMA_VERSION = 1
_BEST_FIRST = (PASS, WARN, INCONCLUSIVE)


@dataclass(frozen=True)
class Tolerances:
    """How much worse a figure may become before it counts; written into the lock, where the user may change them.

    Attributes:
        lost_bits: two bits are a factor of four in the error: what two legitimate evaluations of one function differ
            by at most on the source's own kernels (gate 3).
        latency: by which part the interval of the new figure has to lie above that of the old one.
        size: by which part the model may grow on disk.
    """

    lost_bits: float = 2.0
    latency: float = 0.05
    size: float = 0.01


@dataclass(frozen=True)
class Latency:
    """The median latency of one inference in nanoseconds, the interval it lies in, and the machine it was taken on."""

    median_ns: float
    low_ns: float
    high_ns: float
    cpu: str


@dataclass(frozen=True)
class Entry:
    """One artifact on one runtime.

    Attributes:
        latencies: by batch and threads, as ``batch 1, 2 threads``; empty where nobody has measured.
        versions: of the runtime's packages and of those that wrote the artifact.
    """

    verdict: str
    lost_bits: float
    size_bytes: int
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Entry":
        latencies = {name: Latency(**latency) for name, latency in record["latencies"].items()}
        return cls(**{**record, "latencies": latencies})


@dataclass(frozen=True)
class Change:
    """What differs from the lock; a regression fails, anything else is a remark."""

    key: str
    what: str
    is_regression: bool

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"


@dataclass(frozen=True)
class Lock:
    """Entries by ``<path of the artifact> on <runtime>``, the path relative to the lock, with ``/``."""

    entries: Mapping[str, Entry]
    tolerances: Tolerances = Tolerances()

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "tolerances": asdict(self.tolerances),
            "artifacts": {key: asdict(entry) for key, entry in sorted(self.entries.items())},
        }

    @classmethod
    def from_json(cls, record: Any) -> "Lock":
        """Return the lock that a document holds.

        Raises:
            UsageError: it is none, or one of another version.
        """
        if not isinstance(record, dict):
            raise UsageError("This is not a lock, or not a whole one.", "Write it again: --update-lock")
        try:
            if record["schema_version"] != SCHEMA_VERSION:
                raise UsageError(
                    f"The lock has schema version {record['schema_version']}; this isoform reads {SCHEMA_VERSION}.",
                    "Write it again: --update-lock",
                )
            entries = {key: Entry.from_json(entry) for key, entry in record["artifacts"].items()}
            return cls(entries, Tolerances(**record["tolerances"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"This lock is not whole: {error}.", "Write it again: --update-lock") from error

    def compare(self, found: Mapping[str, Entry], is_asked: Callable[[str], bool]) -> list[Change]:
        """Return what has changed, key by key: regressions, and remarks on what cannot be compared.

        Args:
            is_asked: tells of a key whether this verification was to cover it; if so and it does not, it is missing.
        """
        changes = [change for key, entry in sorted(found.items()) for change in self._changes(key, entry)]
        gone = sorted(key for key in self.entries if key not in found and is_asked(key))
        return changes + [Change(key, "is in the lock and is not there any more", True) for key in gone]

    def updated(self, found: Mapping[str, Entry], is_asked: Callable[[str], bool]) -> "Lock":
        """Return a lock of what was found, and of what was not asked for.

        A latency that was not measured now is kept where the size is the same.
        """
        kept = {key: entry for key, entry in self.entries.items() if not is_asked(key)}
        return Lock(kept | {key: self._with_latency(key, entry) for key, entry in found.items()}, self.tolerances)

    def _with_latency(self, key: str, entry: Entry) -> Entry:
        before = self.entries.get(key)
        if entry.latencies or before is None or before.size_bytes != entry.size_bytes:
            return entry
        return Entry(entry.verdict, entry.lost_bits, entry.size_bytes, before.latencies, entry.versions)

    def _changes(self, key: str, entry: Entry) -> Iterator[Change]:
        before = self.entries.get(key)
        if before is None:
            yield Change(key, "is new: the lock does not hold it", False)
            return
        since = _since(before.versions, entry.versions)
        for what in self._regressions(before, entry):
            yield Change(key, what + since, True)
        for name, latency in before.latencies.items():
            now = entry.latencies.get(name)
            if now is not None and now.cpu != latency.cpu:
                yield Change(key, f"latency at {name} was locked on {latency.cpu} and is not compared", False)

    def _regressions(self, before: Entry, now: Entry) -> Iterator[str]:
        if _rank(now.verdict) > _rank(before.verdict):
            yield f"verdict {now.verdict}, was {before.verdict}"
        if now.verdict != NOT_VERIFIED and now.lost_bits > before.lost_bits + self.tolerances.lost_bits:
            yield f"{now.lost_bits:.1f} bits lost, were {before.lost_bits:.1f}"
        if now.size_bytes > before.size_bytes * (1 + self.tolerances.size):
            yield f"{now.size_bytes} bytes, were {before.size_bytes} ({_percent(now.size_bytes, before.size_bytes)})"
        for name, old in before.latencies.items():
            new = now.latencies.get(name)
            if new is not None and new.cpu == old.cpu and new.low_ns > old.high_ns * (1 + self.tolerances.latency):
                yield (
                    f"latency at {name} {new.median_ns / 1e6:.3g} ms, was {old.median_ns / 1e6:.3g} "
                    f"({_percent(new.median_ns, old.median_ns)})"
                )


def _rank(verdict: str) -> int:
    """Return how bad a verdict is; what failed, did not run or was not verified is worse than all that did."""
    return _BEST_FIRST.index(verdict) if verdict in _BEST_FIRST else len(_BEST_FIRST)


def _percent(now: float, before: float) -> str:
    return f"{100 * (now / before - 1):+.0f} %" if before else "new"


def _since(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    moved = [
        f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    return f"; since: {', '.join(moved)}" if moved else "; with the same versions"
