"""The page in one table: of each model, what passed, and which export is best in each figure, as far as can be told."""

from collections.abc import Callable, Iterable, Sequence

from isoform.stages.report.front import Cost
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, size_text, threads_text, time_text

NAMED = 2
"""Exports that share a first place and are named; of the others only the number is."""

_LEAD = (
    "Of each model, the best of what passed. Several are named where their figures cannot be told apart: intervals "
    "that overlap, sizes equal to two digits, bits lost equal when rounded; the value is the first one's."
)
_COLUMNS = (
    Column("model", "Model"), Column("passed", "Passed"),
    Column("fastest", "Fastest"), Column("smallest", "Smallest"),
    Column("least_memory", "Least memory"), Column("most_exact", "Fewest bits lost against float32"),
)  # fmt: skip


def section(tables: Sequence[Table]) -> Section:
    """Return one row for each model, batch and machine."""
    rows = tuple(_line(table) for table in tables)
    sheet = Sheet("glance", "The best of each model", _COLUMNS, rows) if rows else None
    return Section(
        "glance", "At a glance", "At a glance", _LEAD, table=sheet,
        missing="Not benchmarked.", command="isoform bench FOLDER",
    )  # fmt: skip


def _line(table: Table) -> tuple[object, ...]:
    passed = [row for row in table.rows if row.entry.passed]
    return (
        table.title, f"{len(passed)} of {len(table.rows)}", _fastest(passed),
        _least(passed, lambda row: _cost(row).size, lambda row: size_text(row.record.size_bytes)),
        _least(passed, _memory, lambda row: size_text(row.first.peak_rss_bytes)),
        _least(
            [row for row in passed if row.lost_bits is not None], lambda row: _cost(row).bits,
            lambda row: figure_text(row.lost_bits, ".1f"),
        ),
    )  # fmt: skip


def _fastest(passed: Sequence[Row]) -> str | None:
    first = [row for row in passed if row.place in ("1", "1=")]
    if not first:
        return None
    threads = threads_text(first[0].first.threads)
    return f"{time_text(first[0].first.median_ns)} on {threads}: {_named(first)}"


def _least(rows: Sequence[Row], figure: Callable[[Row], float], told: Callable[[Row], str]) -> str | None:
    """Return who has the least, with what it is; the first of equals tells its own."""
    if not rows:
        return None
    least = min(map(figure, rows))
    best = [row for row in rows if figure(row) == least]
    return f"{told(best[0])}: {_named(best)}"


def _named(rows: Iterable[Row]) -> str:
    labels = [row.label for row in rows]
    more = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _cost(row: Row) -> Cost:
    return Cost(row.record.size_bytes, row.first.bounds_ns, row.lost_bits or 0.0)


def _memory(row: Row) -> float:
    return Cost(row.first.peak_rss_bytes, row.first.bounds_ns, 0.0).size
