"""How long one query takes: the median of each export, and how its queries scatter."""

from collections.abc import Sequence

from isoform.core.bench import Timing
from isoform.stages.report.charts import strips
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, threads_text, time_text

MOST = 40
"""Rows in one drawing; all of them are in its table."""

_LEAD = (
    "Mark: the median of fresh processes, with the 95 % interval of that median, or from the fastest to the slowest "
    "process where they are fewer than six. Filled: {first}; hollow: more threads. Spread: every query of every "
    "process, each process a silhouette, around the median of its export; below it the interval and a tick for the "
    "median of each process. What failed parity is struck out."
)
_COLUMNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
    Column("threads", "Threads", is_number=True), Column("median_ns", "Median", time_text, is_number=True),
    Column("interval_low_ns", "From", time_text, is_number=True),
    Column("interval_high_ns", "To", time_text, is_number=True),
    Column("interval", "Interval is"), Column("processes", "Processes", is_number=True),
    Column("queries", "Queries", is_number=True),
)  # fmt: skip
_QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
_NAMES = {0: "Least", 0.5: "Median", 1: "Most"}
_OF_PROCESSES = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("process", "Process", is_number=True),
    Column("queries", "Queries", is_number=True),
    *(
        Column(f"q{100 * part:g}_ns", _NAMES.get(part, f"{100 * part:g} %"), time_text, is_number=True)
        for part in _QUANTILES
    ),
)  # fmt: skip


def section(tables: Sequence[Table]) -> Section:
    """Return the medians and spreads of every model, batch and machine."""
    firsts = {row.first.threads for table in tables for row in table.rows}
    return Section(
        "latency", "Latency", "Latency", _LEAD.format(first=threads_text(min(firsts, default=1))),
        tuple(Group(table.title, (_medians(table), *_spreads(table))) for table in tables),
        missing="Not benchmarked.", command="isoform bench FOLDER",
    )  # fmt: skip


def _medians(table: Table) -> Figure:
    rows = [
        strips.Place(
            row.label, row.entry.place,
            tuple(
                strips.Timed(timing.median_ns, timing.bounds_ns, threads_text(timing.threads))
                for timing in sorted(row.record.timings, key=lambda timing: timing.threads)
            ),
            row.entry.failed,
        )
        for row in table.rows[:MOST]
    ]  # fmt: skip
    title = f"{table.title}: median latency"
    name = f"latency-{table.slug}"
    sheet = Sheet(
        name, title, _COLUMNS, tuple(_line(row, timing) for row in table.rows for timing in row.record.timings)
    )
    return Figure("Median", strips.latencies(name, rows, title, _told(table.rows)), sheet, _cut(table))


def _spreads(table: Table) -> list[Figure]:
    return [_spread(table, threads) for threads in table.threads]


def _spread(table: Table, threads: int) -> Figure:
    found = [(row, timing) for row in table.rows if (timing := row.timing(threads)) is not None]
    rows = [
        strips.Strip(
            row.label, row.entry.place, tuple(process.latencies_ns for process in timing.processes),
            timing.median_ns, timing.bounds_ns, row.entry.failed,
        )
        for row, timing in found[:MOST]
    ]  # fmt: skip
    title = f"{table.title}: spread of the queries, {threads_text(threads)}"
    name = f"spread-{table.slug}-{threads}t"
    lines = [
        (row.label, row.record.runtime, number, len(process.latencies_ns), *_quantiles(process.latencies_ns))
        for row, timing in found
        for number, process in enumerate(timing.processes, start=1)
    ]
    count = sum(timing.queries for _, timing in found)
    told = f"{count} queries of {len(lines)} processes. The table below has the quantiles of each process."
    sheet = Sheet(name, title, _OF_PROCESSES, tuple(lines))
    return Figure(f"Spread, {threads_text(threads)}", strips.spreads(name, rows, title, told), sheet, _cut(table))


def _line(row: Row, timing: Timing) -> tuple[object, ...]:
    low, high = timing.bounds_ns
    kind = "95 % of the median" if timing.interval_ns else "fastest to slowest process"
    return (
        row.label, row.record.runtime, row.entry.verdict, timing.threads, timing.median_ns, low, high, kind,
        len(timing.processes), timing.queries,
    )  # fmt: skip


def _quantiles(latencies_ns: Sequence[int]) -> list[int]:
    """Return order statistics of one process: observations, never interpolated."""
    ordered = sorted(latencies_ns)
    return [ordered[round(part * (len(ordered) - 1))] for part in _QUANTILES]


def _told(rows: Sequence[Row]) -> str:
    """Return the drawing in a sentence, for who does not see it."""
    ranked = [row for row in rows if row.place]
    if not ranked:
        return f"{figure_text(len(rows), 'd')} exports, none of which is ranked. The figures are in the table below."
    first, last = ranked[0], ranked[-1]
    return (
        f"{len(rows)} exports, fastest first: {first.label} with {time_text(first.first.median_ns)} on "
        f"{threads_text(first.first.threads)}; slowest of those that passed: {last.label} with "
        f"{time_text(last.first.median_ns)}. The figures are in the table below."
    )


def _cut(table: Table) -> str:
    return f"The first {MOST} of {len(table.rows)} are drawn; all are in the table." if len(table.rows) > MOST else ""
