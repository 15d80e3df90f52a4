"""Which artifact is faster, as far as the figures can tell: one table for each model, batch and machine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from isoform.core.bench import BenchRecord, Timing
from isoform.core.machine import Machine
from isoform.stages.report.collect import Entry


@dataclass(frozen=True)
class Row:
    """One artifact in one runtime.

    Attributes:
        place: "1", "2=" ...; empty where parity was not passed: what computes something else is not ranked.
    """

    entry: Entry
    record: BenchRecord
    place: str = ""

    @property
    def first(self) -> Timing:
        """The timing that the rank is by: the fewest threads."""
        return min(self.record.timings, key=lambda timing: timing.threads)

    @property
    def remarks(self) -> list[str]:
        """What a reader has to know before believing the figures."""
        timings = self.record.timings
        # Up to one task a core may be this benchmark itself, measuring the artifact before; more is other work.
        loads = [timing.load_before for timing in timings if timing.load_before is not None]
        remarks = [] if all(timing.is_steady for timing in timings) else ["never became steady"]
        if loads and max(loads) > self.record.machine.cores:
            remarks.append(f"other work ran: load {max(loads):.1f}")
        return remarks

    def timing(self, threads: int) -> Timing | None:
        return next((timing for timing in self.record.timings if timing.threads == threads), None)


@dataclass(frozen=True)
class Table:
    """What may be compared: one model, one batch, one machine."""

    name: str
    batch: int
    machine: Machine
    rows: tuple[Row, ...]

    @property
    def threads(self) -> list[int]:
        return sorted({timing.threads for row in self.rows for timing in row.record.timings})


def tables(entries: Sequence[Entry]) -> list[Table]:
    """Return the tables, in each the fastest first; what did not pass is last and has no place."""
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for entry in entries:
        for record in entry.measured:
            if record.timings:
                groups.setdefault((entry.name, record.batch, record.machine.digest), []).append(Row(entry, record))
    return [
        Table(name, batch, rows[0].record.machine, tuple(_ranked(rows))) for (name, batch, _), rows in groups.items()
    ]


def _ranked(rows: Sequence[Row]) -> list[Row]:
    ordered = sorted(rows, key=lambda row: (not row.entry.passed, row.first.median_ns))
    ranked = [row for row in ordered if row.entry.passed]
    places: list[int] = []
    for index, row in enumerate(ranked):
        leader = ranked[places[-1] - 1] if places else None
        # Intervals that overlap do not tell two artifacts apart, so they share the place of the first of them.
        is_tied = leader is not None and _interval(row.first)[0] <= _interval(leader.first)[1]
        places.append(places[-1] if is_tied else index + 1)
    named = [
        replace(row, place=f"{place}=" if places.count(place) > 1 else str(place))
        for row, place in zip(ranked, places, strict=True)
    ]
    return [*named, *ordered[len(ranked) :]]


def _interval(timing: Timing) -> tuple[float, float]:
    return timing.interval_ns or timing.range_ns
