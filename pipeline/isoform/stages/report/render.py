"""From the records to the page: what each part of it shows, and the template that arranges it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isoform import store
from isoform.core.format import FORMATS
from isoform.core.parity import PASS, WORST_FIRST
from isoform.stages.report import charts, text
from isoform.stages.report.collect import Collection, Training, collect
from isoform.stages.report.ranking import Row, Table, tables

GLYPHS = {"PASS": "✔", "WARN": "▲", "FAIL": "✘", "INCONCLUSIVE": "?", "NOT VERIFIED": "–", "ERROR": "!"}
_PLACES = {name: place for place, name in enumerate(("onnx", "savedmodel", "tflite", "torchscript"))}
_FRAMEWORKS = ("torch", "keras")


def write(folder: Path, target: Path) -> dict[str, Any]:
    """Write the page on everything below ``folder`` to ``target``, and return its summary.

    Equal records give an equal page: nothing in it depends on when or where it is written.

    Raises:
        UsageError: nothing was exported there.
    """
    collection = collect(folder)
    store.write_bytes(target, render(collection).encode())
    return {
        "artifacts": sum(entry.is_published for entry in collection.entries),
        "verdicts": _counts(collection),
        "unreadable": list(collection.unreadable),
    }


def render(collection: Collection) -> str:
    """Return the page."""
    ranked = tables(collection.entries)
    return _environment().get_template("page.html.j2").render(
        collection=collection,
        glyphs=GLYPHS,
        titles={name: row.title for name, row in FORMATS.items()},
        counts=_counts(collection),
        machines=list({table.machine.digest: table.machine for table in ranked}.values()),
        versions=_versions(collection),
        tables=[(table, Markup(_latency_chart(table))) for table in ranked],
        keys=[(Markup(charts.key(place)), FORMATS[name].title) for name, place in _PLACES.items()],
        hollow=Markup(charts.key(0, is_filled=False)),
        trainings=list(_training_charts(collection.trainings)),
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("isoform.stages.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": text.size_text, "time": text.time_text, "css": text.css_class, "figure": text.figure_text,
    }  # fmt: skip
    return environment


def _shown(value: Any) -> Any:
    """Return what an expression of the template writes: our own markup as it is, all else visible, then escaped."""
    return value if isinstance(value, Markup) else text.visible(value)


def _counts(collection: Collection) -> dict[str, int]:
    verdicts = [entry.verdict for entry in collection.entries]
    best_first = (PASS, *(verdict for verdict in reversed(WORST_FIRST) if verdict != PASS))
    return {verdict: verdicts.count(verdict) for verdict in best_first if verdict in verdicts}


def _versions(collection: Collection) -> dict[str, str]:
    """Return package to version, over all converters and runtimes that had a part; several where they differ."""
    found: dict[str, set[str]] = {}
    for entry in collection.entries:
        used = [step["versions"] for step in entry.record.get("route", [])]
        for versions in (*used, *(record.versions for record in entry.parity.values())):
            for package, version in versions.items():
                found.setdefault(str(package), set()).add(str(version))
    return {package: " and ".join(sorted(found[package])) for package in sorted(found)}


def _latency_chart(table: Table) -> str:
    title = f"{table.name}: median latency and size of each artifact, batch {table.batch}"
    points = [_point(row) for row in table.rows]
    return charts.scatter(points, title, "size on disk, MB", f"latency, ms ({_threads(table.rows[0].first.threads)})")


def _point(row: Row) -> charts.Point:
    timing = row.first
    low, high = timing.interval_ns or timing.range_ns
    note = "" if row.entry.passed else f" {GLYPHS.get(row.entry.verdict, '')}"
    return charts.Point(
        row.record.size_bytes / 1e6,
        timing.median_ns / 1e6,
        _PLACES.get(row.entry.format, len(_PLACES)),
        f"{row.entry.title} {row.entry.framework} {text.time_text(timing.median_ns)}{note}",
        is_filled=row.entry.framework == _FRAMEWORKS[0],
        is_struck=row.entry.failed,
        interval=(low / 1e6, high / 1e6),
    )


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _training_charts(trainings: tuple[Training, ...]) -> Iterator[dict[str, Any]]:
    """Give, for each model, the trainings of all frameworks and their curves."""
    for name in dict.fromkeys(training.name for training in trainings):
        group = [training for training in trainings if training.name == name]
        drawn = {
            quantity: Markup(charts.curves(list(_lines(group, quantity)), f"{name}: {quantity} by epoch", quantity))
            for quantity in ("loss", "accuracy")
        }
        yield {"name": name, "group": group, **drawn}


def _lines(group: list[Training], quantity: str) -> Iterator[charts.Line]:
    for place, training in enumerate(group):
        for side, field in (("test", f"test_{quantity}"), ("train", quantity)):
            values = [float(epoch[field]) for epoch in training.record["epochs"] if epoch.get(field) is not None]
            if values:
                label = f"{training.framework} {side} {values[-1]:.3f}"
                yield charts.Line(place, label, values, is_dashed=side == "train")
