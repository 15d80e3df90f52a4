"""Where the arithmetic really ran: on the provider or delegate that was asked for, and on integers or floats."""

from collections.abc import Iterator, Mapping, Sequence

from isoform.core.placement import NOT_TOLD
from isoform.stages.report import depth
from isoform.stages.report.charts.bars import Part, shares
from isoform.stages.report.depth import Placement
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import share_text

MOST = 40
_LEAD = (
    "The share of multiply-accumulates that each provider or delegate did, and on which numbers. Of a graph without "
    "any, the share of operators. An integer file that still computes in float shows here."
)
_KINDS = ("float", "integer", "none")
_COLUMNS = (
    Column("export", "Export"), Column("runtime", "Runtime"), Column("target", "Asked for"),
    Column("partitions", "Pieces", is_number=True),
    Column("off_target_share", "Elsewhere", share_text, is_number=True),
    Column("not_told_share", "Not told", share_text, is_number=True),
    Column("integer_share", "On integers", share_text, is_number=True),
    Column("off_target", "Operators elsewhere"), Column("inserted", "Put in by the runtime"),
)  # fmt: skip


def section(tables: Sequence[Table]) -> Section:
    """Return two charts for each model whose operators are known to have run somewhere."""
    reasons = "".join(f"{told} " for table in tables if (told := _unknown(table)))
    return Section(
        "placement", "Where it ran", "Placement", _LEAD, tuple(_groups(tables)),
        missing=f"{reasons}No benchmark here says where operators ran:", command="isoform bench FOLDER",
    )  # fmt: skip


def _groups(tables: Sequence[Table]) -> Iterator[Group]:
    for table in tables:
        found = [(row, where) for row in table.rows if (where := depth.placement(row)) is not None]
        if found:
            yield Group(table.title, tuple(_figures(table, found)))


def _unknown(table: Table) -> str:
    """Return of which rows it is not known, and why."""
    found = [f"{row.label}: {reason}" for row in table.rows if (reason := depth.unplaced(row)) is not None]
    return f"Not known of {'; '.join(found)}." if found else ""


def _figures(table: Table, found: Sequence[tuple[Row, Placement]]) -> Iterator[Figure]:
    rows = tuple(_line(row, where) for row, where in found)
    targets = [(row.label, _parts(where.target, where.macs or where.operators)) for row, where in found]
    title = f"{table.title}: share of arithmetic by provider or delegate"
    sheet = Sheet(f"placement-{table.slug}", title, _COLUMNS, rows)
    yield Figure(
        "By provider or delegate", shares(sheet.name, targets[:MOST], title, _told(targets)), sheet, _unknown(table)
    )
    kinds = [(row.label, _by_kind(where.by_arithmetic)) for row, where in found if where.by_arithmetic]
    if kinds:
        title = f"{table.title}: share of arithmetic on integers and floats"
        sheet = Sheet(f"arithmetic-{table.slug}", title, _COLUMNS, rows)
        yield Figure("On integers and floats", shares(sheet.name, kinds[:MOST], title, _told(kinds)), sheet)


def _parts(target: str, amounts: Mapping[str, int]) -> list[Part]:
    """Return the parts with what was asked for first and in the first colour, whatever else took part after it."""
    whole = sum(amounts.values())
    others = sorted((name for name in amounts if name != target), key=lambda name: -amounts[name])
    return [
        Part(name, amounts.get(name, 0) / whole, place)
        for place, name in enumerate([target, *others])
        if amounts.get(name, 0)
    ]


def _by_kind(amounts: Mapping[str, int]) -> list[Part]:
    whole = sum(amounts.values())
    kinds = [*_KINDS, *sorted(amounts.keys() - set(_KINDS))]
    return [Part(kind, amounts[kind] / whole, place) for place, kind in enumerate(kinds) if amounts.get(kind)]


def _line(row: Row, where: Placement) -> tuple[object, ...]:
    amounts = where.macs or where.operators
    whole, whole_kinds = sum(amounts.values()), sum(where.by_arithmetic.values())
    return (
        row.label, row.record.runtime, where.target, where.partitions,
        1 - (amounts.get(where.target, 0) + amounts.get(NOT_TOLD, 0)) / whole if whole else None,
        amounts.get(NOT_TOLD, 0) / whole if whole else None,
        where.by_arithmetic.get("integer", 0) / whole_kinds if whole_kinds else None,
        _counted(where.off_target), _counted(where.inserted),
    )  # fmt: skip


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def _told(rows: Sequence[tuple[str, Sequence[Part]]]) -> str:
    lines = [
        f"{label}: {', '.join(f'{part.label} {share_text(part.share)}' for part in parts)}" for label, parts in rows
    ]
    return f"{'; '.join(lines[:8])}. The figures are in the table below."
