"""What changed between two runs of the same exports. Figures that say so, or that say they cannot.

A latency is called different only where the two were timed in turns (``isoform bench AFTER --baseline BEFORE --json``):
two figures taken one after the other tell the day, not the file. What counts as a change of accuracy or size is what
counts against a ``parity.lock``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from isoform import store
from isoform.core.comparison import THRESHOLD
from isoform.core.lock import Tolerances
from isoform.core.parity import ERROR, FAIL, INCONCLUSIVE, NOT_VERIFIED, PASS, WARN
from isoform.errors import UsageError
from isoform.stages.report.collect import Collection, Entry

NEW, GONE = "new", "gone"
_BEST_FIRST = (PASS, WARN, INCONCLUSIVE, NOT_VERIFIED, FAIL, ERROR)
_TOLERANCES = Tolerances()


@dataclass(frozen=True)
class Turns:
    """What ``bench --baseline`` said of one export at one number of threads."""

    runtime: str
    threads: int
    word: str
    ratio: float
    interval: tuple[float, float] | None
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class Change:
    """One export before and after; one of the two is None where it is new or gone."""

    before: Entry | None
    after: Entry | None
    turns: tuple[Turns, ...] = field(default=())

    @property
    def entry(self) -> Entry:
        """The newer one there is."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def status(self) -> str:
        """``new``, ``gone``, or nothing."""
        return NEW if self.before is None else GONE if self.after is None else ""

    @property
    def better(self) -> list[str]:
        """What is better than before."""
        return list(self._told(-1))

    @property
    def worse(self) -> list[str]:
        """What is worse than before."""
        return list(self._told(+1))

    def _told(self, side: int) -> Iterator[str]:
        """Give what moved to one side: -1 is better, +1 is worse."""
        if self.before is None or self.after is None:
            return
        verdicts = self.before.verdict, self.after.verdict
        if side * (_rank(verdicts[1]) - _rank(verdicts[0])) > 0:
            yield f"verdict {verdicts[1]}, was {verdicts[0]}"
        bits = worst_bits(self.before), worst_bits(self.after)
        if bits[0] is not None and bits[1] is not None and side * (bits[1] - bits[0]) > _TOLERANCES.lost_bits:
            yield f"{bits[1]:.1f} bits lost, were {bits[0]:.1f}"
        if self.before.is_published and self.after.is_published and self.before.size_bytes:
            old, new = self.before.size_bytes, self.after.size_bytes
            larger, smaller = (new, old) if side > 0 else (old, new)
            if larger > smaller * (1 + _TOLERANCES.size):
                yield f"{100 * abs(new / old - 1):.0f} % {'larger' if side > 0 else 'smaller'}"
        for turns in self.turns:
            if turns.word == ("slower" if side > 0 else "faster"):
                yield f"{turns.word}, × {turns.ratio:.3f} on {turns.runtime}, threads: {turns.threads}"


def changes(
    before: Collection, after: Collection, folder: Path, turns: Mapping[PurePath, tuple[Turns, ...]]
) -> list[Change]:
    """Return every export of either run, the worse ones first.

    Args:
        folder: what ``after`` was collected from.
        turns: what was timed in turns, by the path of the later artifact, relative to anywhere.
    """
    olds = {entry.identity: entry for entry in before.entries}
    news = {entry.identity: entry for entry in after.entries}
    found = [
        Change(olds.get(identity), entry, _of(entry, folder, turns)) for identity, entry in news.items()
    ] + [Change(entry, None) for identity, entry in olds.items() if identity not in news]  # fmt: skip
    return sorted(found, key=_order)


def worst_bits(entry: Entry) -> float | None:
    """Return the bits lost on the runtime where most are; None where nothing was compared."""
    bits = [found for runtime in entry.parity if (found := entry.lost_bits(runtime)) is not None]
    return max(bits, default=None)


def read_turns(path: Path) -> dict[PurePath, tuple[Turns, ...]]:
    """Return what ``isoform bench AFTER --baseline BEFORE --json`` printed into a file, by the path it names.

    Raises:
        UsageError: it is no such document.
    """
    try:
        return dict(_entries(store.read_json(path)))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            f"{path}: not what isoform bench --baseline --json prints.",
            "isoform bench AFTER --baseline BEFORE --json > FILE",
        ) from None


def _entries(document: Any) -> Iterator[tuple[PurePath, tuple[Turns, ...]]]:
    by_path: dict[PurePath, list[Turns]] = {}
    if not isinstance(document, list):
        raise TypeError(document)
    for entry in document:
        found = by_path.setdefault(PurePath(entry["path"]), [])
        for each in entry.get("comparisons") or ():
            interval = each["interval_95"]
            found.append(Turns(
                str(entry["runtime"]), int(each["threads"]), str(each["verdict"]), float(each["ratio"]),
                (float(interval[0]), float(interval[1])) if interval else None, float(each["threshold"]),
            ))  # fmt: skip
    return ((path, tuple(turns)) for path, turns in by_path.items())


def _of(entry: Entry, folder: Path, turns: Mapping[PurePath, tuple[Turns, ...]]) -> tuple[Turns, ...]:
    """Return what was timed in turns of an artifact: under a path that ends as the artifact's path in ``folder``."""
    parts = entry.folder.relative_to(folder).parts or (folder.resolve().name,)
    ends = [path for path in turns if path.parts[-len(parts) :] == parts]
    return turns[min(ends, key=lambda path: len(path.parts))] if ends else ()


def _order(change: Change) -> tuple[bool, bool, bool, tuple[str, ...]]:
    return not change.worse, change.status != GONE, not change.better, change.entry.identity


def _rank(verdict: str) -> int:
    return _BEST_FIRST.index(verdict) if verdict in _BEST_FIRST else len(_BEST_FIRST)
