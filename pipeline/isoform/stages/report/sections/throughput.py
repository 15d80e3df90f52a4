"""How many samples a second come out as the batch grows."""

from collections.abc import Iterator, Sequence

from isoform.stages.report import depth
from isoform.stages.report.charts.curves import Line, over_logarithms
from isoform.stages.report.charts.scatter import Scale
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import rate_text, slug, threads_text, tick_text

_LEAD = (
    "Samples a second with queries back to back: the median over processes. A line that falls says that a larger "
    "batch no longer helps. What failed parity is not drawn; its figures are in the table."
)
_COLUMNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
    Column("threads", "Threads", is_number=True), Column("batch", "Batch", is_number=True),
    Column("samples_per_s", "Samples a second", lambda rate: rate_text(rate, "/s"), is_number=True),
    Column("low_per_s", "From", lambda rate: "–" if rate is None else rate_text(rate, "/s"), is_number=True),
    Column("high_per_s", "To", lambda rate: "–" if rate is None else rate_text(rate, "/s"), is_number=True),
)  # fmt: skip


def section(tables: Sequence[Table]) -> Section:
    """Return samples a second over the batch, for each model, machine and number of threads with several batches."""
    return Section(
        "throughput", "Throughput by batch", "Throughput", _LEAD, tuple(_groups(tables)),
        missing="No model was measured at several batches:", command="isoform bench FOLDER --batch 8",
    )  # fmt: skip


def _groups(tables: Sequence[Table]) -> Iterator[Group]:
    by_model: dict[tuple[str, str], list[Table]] = {}
    for table in tables:
        by_model.setdefault((table.name, table.machine.digest), []).append(table)
    for (name, machine), group in by_model.items():
        threads = sorted({count for table in group for count in table.threads})
        figures = [figure for count in threads if (figure := _figure(name, machine, group, count)) is not None]
        if figures:
            where = "" if group[0].is_only_machine else f", on {group[0].machine.cpu}"
            yield Group(f"{name}{where}", tuple(figures))


def _figure(name: str, machine: str, group: Sequence[Table], threads: int) -> Figure | None:
    found: dict[str, list[tuple[Row, float, tuple[float, float] | None]]] = {}
    for table in sorted(group, key=lambda table: table.batch):
        for row in table.rows:
            if (rate := depth.throughput(row, threads)) is not None:
                found.setdefault(row.label, []).append((row, *rate))
    if not any(len(points) > 1 for points in found.values()):
        return None
    rows = tuple(
        (
            label, row.record.runtime, row.entry.verdict, threads, row.record.batch, rate,
            *(interval or (None, None)),
        )
        for label, points in found.items()
        for row, rate, interval in points
    )  # fmt: skip
    lines = [
        Line(
            points[0][0].entry.place,
            label,
            [(float(row.record.batch), rate) for row, rate, _ in points],
            has_marks=True,
        )
        for label, points in found.items()
        if not points[0][0].entry.failed
    ]
    title = f"{name}: samples a second over the batch, {threads_text(threads)}"
    sheet = Sheet(f"throughput-{slug(name)}-{machine[:6]}-{threads}t", title, _COLUMNS, rows)
    most, label, batch = max(
        (rate, label, row.record.batch) for label, points in found.items() for row, rate, _ in points
    )
    told = f"Most: {label} with {rate_text(most, 'samples/s')} at batch {batch}. The figures are in the table below."
    if not lines:
        return Figure(threads_text(threads), "", sheet, "Nothing that passed was measured.")
    drawing = over_logarithms(
        sheet.name, lines, Scale("batch", lambda tick: f"{tick:g}"),
        Scale("samples a second", lambda tick: tick_text(rate_text(tick, ""))), title, told,
    )  # fmt: skip
    return Figure(threads_text(threads), drawing, sheet)
