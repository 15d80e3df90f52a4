"""Which exports suit a phone, which a server, which both: two measured figures against each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isoform.core.statistics import median
from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.ranking import Row, Table
from isoform.stages.report.section import Figure, Group, Section
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import rate_text, tick_text, time_text

FEWEST = 4
"""Below so many points a median parts nothing."""
QUADRANTS = ("phone", "both", "neither", "server")
PHONE, SERVER = "litert", "ort-cpu"
MOST = 40

_LEAD = (
    "Phone (up): inferences a second on LiteRT with one thread at batch 1, for each megabyte of the TFLite file. "
    "Server (right): samples a second on ONNX Runtime with all threads measured, at the batch that gives most. Both "
    "on the machine named above; no phone was measured. Dotted: the median of the points on each axis. Only what "
    "passed on both is drawn."
)
_COLUMNS = (
    Column("source", "Source"),
    Column("phone_per_s_per_mb", "Phone: /s for each MB", lambda rate: rate_text(rate, ""), is_number=True),
    Column("litert_median_ns", "LiteRT, 1 thread", time_text, is_number=True),
    Column("tflite_bytes", "TFLite file, bytes", lambda size: f"{size:,}", is_number=True),
    Column("server_per_s", "Server: /s", lambda rate: rate_text(rate, ""), is_number=True),
    Column("server_batch", "at batch", is_number=True), Column("server_threads", "on threads", is_number=True),
)  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """A model, framework and precision, exported both ways."""

    name: str
    phone: Row
    server: Row

    @property
    def phone_rate(self) -> float:
        """Inferences a second and megabyte."""
        return 1e9 / self.phone.first.median_ns / (self.phone.record.size_bytes / 1e6)

    @property
    def server_rate(self) -> float:
        """Samples a second."""
        return _rate(self.server)


def section(tables: Sequence[Table]) -> Section:
    """Return one chart for each machine that measured both."""
    return Section(
        "deployment", "Phone or server", "Phone or server", _LEAD, tuple(_groups(tables)),
        missing="No source was exported, proved and measured as TFLite on one thread and as ONNX:",
        command="isoform convert SOURCE --to onnx,tflite && isoform bench exports",
    )  # fmt: skip


def _groups(tables: Sequence[Table]) -> Iterator[Group]:
    for machine in dict.fromkeys(table.machine.digest for table in tables):
        here = [table for table in tables if table.machine.digest == machine]
        sources = sorted(_sources(here), key=lambda source: -source.server_rate)
        if sources:
            where = "" if here[0].is_only_machine else here[0].machine.cpu
            yield Group(where, (_figure(f"deployment-{machine[:6]}", sources),))


def _sources(tables: Sequence[Table]) -> Iterator[_Source]:
    phones: dict[tuple[str, str, str], Row] = {}
    servers: dict[tuple[str, str, str], Row] = {}
    for row in (row for table in tables for row in table.rows if row.entry.passed):
        key = (row.entry.name, row.entry.framework, row.entry.precision)
        if row.record.runtime == PHONE and row.record.batch == 1 and row.first.threads == 1 and row.record.size_bytes:
            phones[key] = row
        if row.record.runtime == SERVER and (key not in servers or _rate(row) > _rate(servers[key])):
            servers[key] = row
    for key in phones.keys() & servers.keys():
        phone = phones[key]
        yield _Source(f"{phone.entry.name} {phone.entry.origin}", phone, servers[key])


def _rate(row: Row) -> float:
    """Return samples a second with the most threads."""
    return row.record.batch * 1e9 / row.last.median_ns


def _tick(rate: float) -> str:
    return tick_text(rate_text(rate, ""))


def _figure(name: str, sources: Sequence[_Source]) -> Figure:
    points = [Point(source.server_rate, source.phone_rate, 0, source.name) for source in sources]
    halves = (median([point.x for point in points]), median([point.y for point in points]))
    ground = Ground(halves=halves, quadrants=QUADRANTS) if len(points) >= FEWEST else None
    title = "Phone against server"
    rows = tuple(
        (
            source.name, source.phone_rate, source.phone.first.median_ns, source.phone.record.size_bytes,
            source.server_rate, source.server.record.batch, source.server.last.threads,
        )
        for source in sources
    )  # fmt: skip
    drawing = scatter(
        name, points[:MOST], Scale("server: samples a second", _tick, margin=0.1),
        Scale("phone: /s for each MB", _tick, margin=0.15), title,
        f"{len(points)} sources; the figures are in the table below.", ground,
    )  # fmt: skip
    note = "" if ground else f"Fewer than {FEWEST} sources: no quadrants."
    return Figure(title, drawing, Sheet(name, title, _COLUMNS, rows), note)
