"""From the records to the page: what each part of it shows, and the template that arranges it."""

import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from isoform import store
from isoform.core.format import FORMATS
from isoform.stages.report.charts import Line, Point, curves, scatter
from isoform.stages.report.collect import Collection, Entry, Training, collect

GLYPHS = {"PASS": "✔", "WARN": "▲", "FAIL": "✘", "INCONCLUSIVE": "?", "NOT VERIFIED": "–", "ERROR": "!"}


def write(folder: Path, target: Path) -> dict[str, Any]:
    """Write the page on everything below ``folder`` to ``target``, and return its summary.

    Raises:
        UsageError: nothing was exported there.
    """
    collection = collect(folder)
    environment = Environment(
        loader=PackageLoader("isoform.stages.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "size": size_text, "time": time_text, "css": css_class}
    environment.filters |= {"finite": _number, "figure": figure_text}
    page = environment.get_template("page.html.j2").render(
        collection=collection,
        glyphs=GLYPHS,
        titles={name: row.title for name, row in FORMATS.items()},
        counts=_counts(collection),
        machine=_machine(collection),
        ranked=_ranked(collection),
        latency_chart=_latency_chart(collection),
        training_charts=_training_charts(collection.trainings),
    )
    store.write_bytes(target, page.encode())
    return {"artifacts": len(collection.entries), "verdicts": _counts(collection)}


def visible(text: Any) -> str:
    """Return text with control and direction characters shown by their code instead of obeyed."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in str(text))


def size_text(size_bytes: float) -> str:
    """Return a size in decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes:.0f} B"


def time_text(time_ns: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if time_ns >= factor:
            return f"{time_ns / factor:.3g} {unit}"
    return f"{time_ns:.0f} ns"


def figure_text(value: float | None, pattern: str) -> str:
    """Return a figure in a format such as ``.1f``; records write infinity as null."""
    number = _number(value)
    return "∞" if math.isinf(number) else format(number, pattern)


def _number(value: float | None) -> float:
    return math.inf if value is None else value


def css_class(verdict: str) -> str:
    return verdict.lower().replace(" ", "-")


def _counts(collection: Collection) -> dict[str, int]:
    verdicts = [entry.verdict for entry in collection.entries]
    return {verdict: verdicts.count(verdict) for verdict in GLYPHS if verdict in verdicts}


def _machine(collection: Collection) -> dict[str, Any] | None:
    """Return the machine that the latest benchmark ran on; None where nothing was measured."""
    records = [record for entry in collection.entries for record in entry.measured]
    return records[-1].machine.to_json() if records else None


def _ranked(collection: Collection) -> list[dict[str, Any]]:
    """Return measured artifacts of each model, the fastest first; what did not pass is last and has no place."""
    rows = []
    for entry in collection.entries:
        for record in entry.measured:
            for timing in record.timings:
                rows.append({"entry": entry, "record": record, "timing": timing})
    return sorted(
        rows,
        key=lambda row: (
            row["entry"].record["name"], row["timing"].threads, not row["entry"].passed, row["timing"].median_ns
        ),
    )  # fmt: skip


def _latency_chart(collection: Collection) -> str:
    points = [point for entry in collection.entries if entry.passed for point in _points(entry)]
    return scatter(points, "size of the model, MB", "latency p50 on one thread, ms")


def _points(entry: Entry) -> list[Point]:
    points = []
    for record in entry.measured:
        for timing in record.timings[:1]:
            low, high = timing.interval_ns or timing.range_ns
            label = f"{entry.source} {entry.format} on {record.runtime}: {time_text(timing.median_ns)}, "
            points.append(
                Point(
                    record.size_bytes / 1e6, timing.median_ns / 1e6, FORMATS[entry.format].title,
                    visible(label + size_text(record.size_bytes)), (low / 1e6, high / 1e6),
                )
            )  # fmt: skip
    return points


def _training_charts(trainings: tuple[Training, ...]) -> list[dict[str, Any]]:
    """Return, for each model, the curves of both frameworks and what they were trained on."""
    charts = []
    for name in dict.fromkeys(training.name for training in trainings):
        group = [training for training in trainings if training.name == name]
        lines = {
            quantity: [
                Line(
                    f"{training.framework} {side}",
                    [epoch[f"{prefix}{quantity}"] for epoch in training.record["epochs"]],
                )
                for training in group
                for side, prefix in (("train", ""), ("test", "test_"))
            ]
            for quantity in ("loss", "accuracy")
        }
        charts.append({"name": name, "group": group, **{key: curves(value, key) for key, value in lines.items()}})
    return charts
