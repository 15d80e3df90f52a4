"""The table of ranks as figures to be downloaded; the page shows the same rows with their intervals and remarks."""

from isoform.stages.report.ranking import Table
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, size_text, time_text


def sheet(table: Table) -> Sheet:
    """Return one row for each export and runtime, ranked first."""
    columns = (
        Column("export", "Export"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
        Column("rank", "Rank", lambda rank: rank or "not ranked"),
        Column("lost_bits_against_float32", "Bits lost against float32", _bits, is_number=True),
        *(
            Column(f"median_{count}_threads_ns", f"Median, threads: {count}", _time, is_number=True)
            for count in table.threads
        ),
        Column("first_ns", "First inference", time_text, is_number=True),
        Column("load_ns", "Load", time_text, is_number=True),
        Column("peak_rss_bytes", "Peak memory", size_text, is_number=True),
        Column("size_bytes", "Size", size_text, is_number=True),
    )  # fmt: skip
    rows = tuple(
        (
            row.label, row.record.runtime, row.entry.verdict, row.place, row.lost_bits,
            *(timing.median_ns if (timing := row.timing(count)) else None for count in table.threads),
            row.first.first_ns, row.first.load_ns, row.first.peak_rss_bytes, row.record.size_bytes,
        )
        for row in table.rows
    )  # fmt: skip
    return Sheet(f"ranks-{table.slug}", f"{table.title}: latency, memory and size", columns, rows)


def _bits(bits: float | None) -> str:
    return figure_text(bits, ".1f")


def _time(time_ns: float | None) -> str:
    return "–" if time_ns is None else time_text(time_ns)
