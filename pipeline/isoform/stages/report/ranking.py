"""Which artifact is faster, as far as the figures can tell: one table for each model, batch and machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isoform.core.bench import BenchRecord, Timing
from isoform.core.format import FORMATS
from isoform.core.machine import Machine
from isoform.stages.report import accuracy
from isoform.stages.report.collect import Entry
from isoform.stages.report.text import slug


@dataclass(frozen=True)
class Row:
    """One artifact in one runtime.

    Attributes:
        written: the record as bench.json has it.
        lost_bits: against float32 on the runtime that was timed; None where that cannot be told.
        place: "1", "2=" ...; empty where parity was not passed: what computes something else is not ranked.
    """

    entry: Entry
    record: BenchRecord
    written: Mapping[str, Any]
    lost_bits: float | None
    place: str = ""

    @property
    def label(self) -> str:
        """The export, and the runtime where it is not the format's own."""
        own = FORMATS[self.entry.format].runtime if self.entry.format in FORMATS else ""
        return self.entry.label if self.record.runtime == own else f"{self.entry.label} on {self.record.runtime}"

    @property
    def first(self) -> Timing:
        """The timing that the rank is by: the fewest threads."""
        return min(self.record.timings, key=lambda timing: timing.threads)

    @property
    def last(self) -> Timing:
        """The timing with the most threads."""
        return max(self.record.timings, key=lambda timing: timing.threads)

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
    is_only_machine: bool = True

    @property
    def title(self) -> str:
        """What tells it from the other tables."""
        batch = f", batch {self.batch}" if self.batch != 1 else ""
        machine = f", on {self.machine.cpu}, {self.machine.cores} cores" if not self.is_only_machine else ""
        return f"{self.name}{batch}{machine}"

    @property
    def slug(self) -> str:
        """An identifier that tells it from the other tables, and part of a file name."""
        machine = f"-{self.machine.digest[:6]}" if not self.is_only_machine else ""
        return f"{slug(self.name)}-batch{self.batch}{machine}"

    @property
    def threads(self) -> list[int]:
        return sorted({timing.threads for row in self.rows for timing in row.record.timings})


def tables(entries: Sequence[Entry]) -> list[Table]:
    """Return the tables, in each the fastest first; what did not pass is last and has no place."""
    groups: dict[tuple[str, int, str], list[Row]] = {}
    sources = accuracy.of_sources(entries)
    for entry in entries:
        for record, written in zip(entry.measured, entry.written, strict=True):
            if record.timings:
                key = (entry.name, record.batch, record.machine.digest)
                lost_bits = accuracy.lost_bits(entry, record.runtime, sources)
                groups.setdefault(key, []).append(Row(entry, record, written, lost_bits))
    is_only_machine = len({digest for _, _, digest in groups}) == 1
    return [
        Table(name, batch, rows[0].record.machine, tuple(_ranked(rows)), is_only_machine)
        for (name, batch, _), rows in sorted(groups.items())
    ]


def _ranked(rows: Sequence[Row]) -> list[Row]:
    ordered = sorted(rows, key=lambda row: (not row.entry.passed, row.first.median_ns))
    ranked = [row for row in ordered if row.entry.passed]
    places: list[int] = []
    for index, row in enumerate(ranked):
        leader = ranked[places[-1] - 1] if places else None
        # Intervals that overlap do not tell two artifacts apart, so they share the place of the first of them.
        is_tied = leader is not None and row.first.bounds_ns[0] <= leader.first.bounds_ns[1]
        places.append(places[-1] if is_tied else index + 1)
    named = [
        replace(row, place=f"{place}=" if places.count(place) > 1 else str(place))
        for row, place in zip(ranked, places, strict=True)
    ]
    return [*named, *ordered[len(ranked) :]]
