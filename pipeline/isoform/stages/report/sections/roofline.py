"""What was reached of what the machine can do: operations a second over operations a byte, under measured ceilings."""

from collections.abc import Iterator, Sequence

from isoform.stages.report import depth
from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.depth import Achieved, Ceiling
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import rate_text, share_text, threads_text, tick_text

_LEAD = (
    "Lines: what this machine was measured to reach; the level is its arithmetic, in float32, the slope the memory, or "
    "the cache, that holds what a query moves. Marks: what "
    "each export reached; a bar spans its operations a byte, from every tensor written and read again to each byte "
    "moved once. Percentages are of what the ceilings allow. What failed parity is crossed out."
)
_COLUMNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
    Column("flops_per_s", "Reached", lambda rate: rate_text(rate, "FLOP/s"), is_number=True),
    Column("intensity_low", "FLOP/byte from", lambda value: f"{value:.3g}", is_number=True),
    Column("intensity_high", "to", lambda value: f"{value:.3g}", is_number=True),
    Column("attainable_flops_per_s", "Ceiling", lambda rate: rate_text(rate, "FLOP/s"), is_number=True),
    Column("share", "Of the ceiling", share_text, is_number=True),
    Column("bound", "Bound by"),
    Column("peak_flops_per_s", "Arithmetic ceiling", lambda rate: rate_text(rate, "FLOP/s"), is_number=True),
    Column("peak_bytes_per_s", "Memory ceiling", lambda rate: rate_text(rate, "B/s"), is_number=True),
)  # fmt: skip


def section(tables: Sequence[Table]) -> Section:
    """Return a chart for each model, batch, machine and number of threads of which the ceilings are known."""
    return Section(
        "roofline", "Roofline", "Roofline", _LEAD, tuple(_groups(tables)),
        missing="No benchmark here says what the machine could do:", command="isoform bench FOLDER",
    )  # fmt: skip


def _groups(tables: Sequence[Table]) -> Iterator[Group]:
    for table in tables:
        figures = [figure for threads in table.threads if (figure := _figure(table, threads)) is not None]
        if figures:
            yield Group(table.title, tuple(figures))


def _figure(table: Table, threads: int) -> Figure | None:
    found = [
        (row, reached, ceiling)
        for row in table.rows
        if (reached := depth.achieved(row, threads)) and (ceiling := depth.ceiling(row, threads))
    ]
    if not found:
        return None
    points = [
        Point(
            (reached.intensity[0] * reached.intensity[1]) ** 0.5, reached.flops_per_s, row.entry.place,
            f"{row.label} {100 * reached.share:.0f} %", is_struck=row.entry.failed, across=reached.intensity,
        )
        for row, reached, _ in found
    ]  # fmt: skip
    ceilings = sorted({each.flops_per_s: each for _, _, each in found}.values(), key=lambda each: each.flops_per_s)
    ceiling = ceilings[-1]
    title = f"{table.title}: operations a second under the machine's ceilings, {threads_text(threads)}"
    sheet = Sheet(f"roofline-{table.slug}-{threads}t", title, _COLUMNS, tuple(_line(*each) for each in found))
    drawing = scatter(
        sheet.name, points, Scale("FLOP / byte", lambda tick: f"{tick:.3g}"),
        Scale("FLOP/s", lambda tick: tick_text(rate_text(tick, ""))), title, _told(found, ceiling),
        _ground(ceilings, [end for point in points for end in point.across or ()]),
    )  # fmt: skip
    return Figure(threads_text(threads), drawing, sheet)


def _ground(ceilings: Sequence[Ceiling], intensities: Sequence[float]) -> Ground:
    """Return the roof, each of its two sides with what was measured; a lower one too, where arithmetic differs."""
    ends = [ceilings[-1]] if len(ceilings) == 1 else [ceilings[-1], ceilings[0]]
    drawn = [(ceiling, roof(ceiling, intensities)) for ceiling in ends]
    levels = [(*corners[2], rate_text(ceiling.flops_per_s, "FLOP/s")) for ceiling, corners in drawn]
    (left, _), (ridge, _), _ = drawn[0][1]
    beside, rate = left**0.25 * ridge**0.75, ceilings[-1].bytes_per_s  # below the ridge, where the level's text begins
    slope = (beside, beside * rate, f"{rate_text(rate, 'B/s')} ")
    return Ground([("ceiling", corners) for _, corners in drawn], [slope, *levels])


def roof(ceiling: Ceiling, intensities: Sequence[float]) -> list[tuple[float, float]]:
    """Return the corners of the roof, from left of all ``intensities`` to right of them and of the ridge."""
    ridge = ceiling.flops_per_s / ceiling.bytes_per_s
    left, right = min([ridge, *intensities]) / 2, max([ridge, *intensities]) * 2
    return [(left, left * ceiling.bytes_per_s), (ridge, ceiling.flops_per_s), (right, ceiling.flops_per_s)]


def _line(row: Row, reached: Achieved, ceiling: Ceiling) -> tuple[object, ...]:
    return (
        row.label, row.record.runtime, row.entry.verdict, reached.flops_per_s, *reached.intensity,
        reached.attainable[1], reached.share, reached.bound, ceiling.flops_per_s, ceiling.bytes_per_s,
    )  # fmt: skip


def _told(found: Sequence[tuple[Row, Achieved, Ceiling]], ceiling: Ceiling) -> str:
    row, reached, _ = max(found, key=lambda each: each[1].share)
    ceilings = f"{rate_text(ceiling.flops_per_s, 'FLOP/s')} and {rate_text(ceiling.bytes_per_s, 'B/s')}"
    closest = f"{row.label} with {share_text(reached.share)}"
    return f"Ceilings: {ceilings}. Closest to them: {closest}. The figures are in the table below."
