"""What each export costs in size, time and accuracy at once, and which of them nothing beats."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.front import Cost, front, steps
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, size_text, threads_text, tick_text, time_text

_LEAD = (
    "Bold: on the front, which means that no export that passed is better in one of size, latency and bits lost and "
    "worse in none. Sizes are compared to two digits, bits lost in whole bits, latencies by their intervals. The line "
    "joins those that nothing beats in the two figures of a chart. What failed parity is crossed out, and is on no "
    "front."
)
_COLUMNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
    Column("on_front", "On the front", lambda value: {True: "yes", False: "no"}.get(value, "not ranked")),
    Column("size_bytes", "Size", size_text, is_number=True),
    Column("threads", "Threads", is_number=True),
    Column("median_ns", "Median", time_text, is_number=True),
    Column(
        "lost_bits_against_float32", "Bits lost against float32", lambda bits: figure_text(bits, ".1f"), is_number=True
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Export:
    """A row of a table with its costs; ``on_front`` is None for what may not be ranked."""

    row: Row
    on_front: bool | None

    @property
    def bits(self) -> float:
        bits = self.row.lost_bits
        return math.inf if bits is None else bits


def section(tables: Sequence[Table]) -> Section:
    """Return two charts for each model, batch and machine: latency over size, and latency over bits lost."""
    return Section(
        "front", "Size, latency and accuracy together", "Fronts", _LEAD,
        tuple(Group(table.title, tuple(_figures(table))) for table in tables),
        missing="Not benchmarked.", command="isoform bench FOLDER",
    )  # fmt: skip


def _figures(table: Table) -> list[Figure]:
    exports = _judged(table)
    rows = tuple(map(_line, exports))
    threads = threads_text(table.rows[0].first.threads)
    time = Scale(f"median latency, {threads}", lambda tick: tick_text(time_text(tick)))
    size = Scale("size on disk", lambda tick: tick_text(size_text(tick)))
    bits = Scale("bits lost against float32", lambda tick: f"{tick:g}", is_linear=True)
    endless = [each.row.label for each in exports if each.row.lost_bits == math.inf]
    untold = [each.row.label for each in exports if each.row.lost_bits is None]
    note = f"Not drawn, for they lose every bit: {', '.join(endless)}. " if endless else ""
    note += f"No float32 export of the same source to hold against: {', '.join(untold)}." if untold else ""
    sized = [(each, float(each.row.record.size_bytes)) for each in exports if each.row.record.size_bytes > 0]
    compared = [(each, each.bits) for each in exports if math.isfinite(each.bits)]
    charts = (
        ("size", size, sized, lambda each: replace(_cost(each.row), lost_bits=0.0), ""),
        ("bits lost", bits, compared, lambda each: replace(_cost(each.row), size_bytes=0.0), note),
    )
    found = []
    for what, scale, points, cost, remark in charts:
        if points:
            title = f"{table.title}: latency over {what}"
            sheet = Sheet(f"front-{table.slug}-{what.split()[0]}", title, _COLUMNS, rows)
            drawing = _drawing(sheet.name, points, cost, (scale, time), title, _told(exports))
            found.append(Figure(f"Latency over {what}", drawing, sheet, remark.strip()))
    return found


def _drawing(
    name: str, exports: Sequence[tuple[_Export, float]], cost: Callable[[_Export], Cost], scales: tuple[Scale, Scale],
    title: str, told: str,
) -> str:  # fmt: skip
    points = [
        Point(
            x, each.row.first.median_ns, each.row.entry.place, each.row.label,
            is_struck=each.row.entry.failed, up=each.row.first.bounds_ns, is_strong=bool(each.on_front),
        )
        for each, x in exports
    ]  # fmt: skip
    line = steps([(x, each.row.first.median_ns) for each, x in _unbeaten(exports, cost)])
    ground = Ground(lines=[("front", line)] if len(line) > 1 else [])
    return scatter(name, points, *scales, title, told, ground)


def _unbeaten(exports: Sequence[tuple[_Export, float]], cost: Callable[[_Export], Cost]) -> list[tuple[_Export, float]]:
    """Return what passed and is on the front of the two figures that ``cost`` looks at."""
    passed = [(each, x) for each, x in exports if each.row.entry.passed]
    told = front([cost(each) for each, _ in passed])
    return [pair for pair, is_on in zip(passed, told, strict=True) if is_on]


def _judged(table: Table) -> list[_Export]:
    ranked = [row for row in table.rows if row.entry.passed and row.lost_bits is not None]
    nothing_beats = front([_cost(row) for row in ranked])
    told = {id(row): is_on for row, is_on in zip(ranked, nothing_beats, strict=True)}
    return [_Export(row, told.get(id(row))) for row in table.rows]


def _cost(row: Row) -> Cost:
    bits = row.lost_bits
    return Cost(row.record.size_bytes, row.first.bounds_ns, math.inf if bits is None else bits)


def _line(each: _Export) -> tuple[object, ...]:
    row = each.row
    return (
        row.label, row.record.runtime, row.entry.verdict, each.on_front, row.record.size_bytes, row.first.threads,
        row.first.median_ns, row.lost_bits,
    )  # fmt: skip


def _told(exports: Sequence[_Export]) -> str:
    on_front = [each.row.label for each in exports if each.on_front]
    named = ", ".join(on_front[:8]) or "none"
    return f"{len(exports)} exports. On the front: {named}. The figures are in the table below."
