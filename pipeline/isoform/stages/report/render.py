"""From the records to the page: what each part of it shows, and the template that arranges it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isoform import store
from isoform.core.format import FORMATS
from isoform.core.parity import PASS, WORST_FIRST
from isoform.stages.report import change, depth, sheet, svg, text, verified
from isoform.stages.report.collect import Collection, Entry, Training, collect
from isoform.stages.report.ranking import Table, tables
from isoform.stages.report.section import Group, Section
from isoform.stages.report.sections import (
    before,
    deployment,
    frameworks,
    glance,
    latency,
    pareto,
    parity,
    placement,
    ranks,
    roofline,
    throughput,
    training,
)
from isoform.stages.report.sheet import Sheet

SECTIONS = (latency, pareto, throughput, deployment, placement, roofline)
"""In the order of the page; each one has ``section(tables)``."""

GLYPHS = {"PASS": "✔", "WARN": "▲", "FAIL": "✘", "INCONCLUSIVE": "?", "NOT VERIFIED": "–", "ERROR": "!"}


def write(
    folder: Path,
    target: Path,
    earlier: Path | None = None,
    turns: Path | None = None,
    tables_to: Path | None = None,
    verified_in: Path | None = None,
) -> dict[str, Any]:
    """Write the page on everything below ``folder`` to ``target``, and return its summary.

    Equal records give an equal page: nothing in it depends on when it is written, and links are relative.

    Args:
        earlier: the folder of an earlier run, to tell what changed.
        turns: what ``isoform bench FOLDER --baseline BEFORE --json`` printed: the latencies that may be compared.
        tables_to: a folder for each table of the page as CSV, and all of them as Markdown.
        verified_in: what ``isoform verify FOLDER --json`` printed, on another machine for example.

    Raises:
        UsageError: nothing was exported there, or ``turns`` or ``verified_in`` is something else.
    """
    collection = collect(folder)
    if verified_in is not None:
        collection = verified.joined(collection, verified_in)
    found = None
    if earlier is not None:
        found = change.changes(collect(earlier), collection, folder, change.read_turns(turns) if turns else {})
    page = compose(collection, found)
    store.write_bytes(target, render(page, target.parent).encode())
    if tables_to is not None:
        for each in page.sheets:
            store.write_bytes(tables_to / f"{each.name}.csv", each.csv.encode("utf-8", "backslashreplace"))
        store.write_bytes(tables_to / "tables.md", sheet.markdown(page.sheets).encode())
    summary = {} if found is None else {"changes": _summary(found)}
    return summary | {
        "artifacts": sum(entry.is_published for entry in collection.entries),
        "verdicts": _counts(collection),
        "unreadable": list(collection.unreadable),
    }


@dataclass(frozen=True)
class Page:
    """Everything that the page shows, section by section, each with the figures behind it."""

    collection: Collection
    verdicts: Sheet
    ranked: list[tuple[Table, Sheet]]
    first: list[Section]
    sections: list[Section]
    trainings: list[tuple[Group, list[Training]]]

    @property
    def sheets(self) -> list[Sheet]:
        """Every table of figures, in the order of the page."""
        return [
            *(each for section in self.first for each in section.sheets),
            self.verdicts,
            *(each for _, each in self.ranked),
            *(each for section in self.sections for each in section.sheets),
            *(figure.sheet for group, _ in self.trainings for figure in group.figures),
        ]


def compose(collection: Collection, changes: Sequence[change.Change] | None = None) -> Page:
    """Return what the page shows of the records, and of what changed since an earlier run."""
    compared = tables(collection.entries)
    return Page(
        collection,
        parity.sheet(collection),
        [(table, ranks.sheet(table)) for table in compared],
        [*([] if changes is None else [before.section(changes)]), glance.section(compared)],
        [each.section(compared) for each in SECTIONS]
        + ([frameworks.section(collection.compared)] if collection.compared else []),
        training.groups(collection.trainings),
    )


def render(page: Page, home: Path) -> str:
    """Return the page; ``home`` is the folder that it will stand in."""
    machines = {table.machine.digest: table.machine for table, _ in page.ranked}
    return _environment().get_template("page.html.j2").render(
        page=page,
        collection=page.collection,
        glyphs=GLYPHS,
        titles={name: row.title for name, row in FORMATS.items()},
        headline=_headline(page.collection),
        counts=_counts(page.collection),
        machines=list(machines.values()),
        versions=_versions(page.collection),
        links=_links(home),
        mlperf=depth.mlperf,
        everything=sheet.address("application/json", sheet.everything(page.sheets)),
        raw=Markup,
        key=lambda entry: Markup(svg.key(entry.place)),
    )  # fmt: skip


def _summary(changes: Sequence[change.Change]) -> dict[str, list[str]]:
    """Return what is worse and better, export by export, for ``--json``."""
    return {
        word: [
            f"{each.entry.name} {each.entry.label}: {', '.join(told)}"
            for each in changes
            if (told := getattr(each, word))
        ]
        for word in ("worse", "better")
    }


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
        "threads": text.threads_text, "shortened": text.shortened,
    }  # fmt: skip
    return environment


def _shown(value: Any) -> Any:
    """Return what an expression of the template writes: our own markup as it is, all else visible, then escaped."""
    return value if isinstance(value, Markup) else text.visible(value)


def _links(home: Path) -> Callable[[Entry], list[tuple[str, str]]]:
    """Return a function that gives (what, relative address) of the files of an artifact."""

    def links(entry: Entry) -> list[tuple[str, str]]:
        names = {"model": str(entry.record["model"]), "artifact.json": "artifact.json"}
        names |= {name: name for name in ("bench.json", "cases.npz") if (entry.folder / name).is_file()}
        there = Path(os.path.relpath(entry.folder.resolve(), home.resolve()))
        return [(what, f"./{quote((there / name).as_posix(), errors='replace')}") for what, name in names.items()]

    return links


def _headline(collection: Collection) -> str:
    """Return what the whole page says, in a line."""
    entries, models = collection.entries, collection.names
    passed = sum(entry.passed for entry in entries)
    of_models = f"{_count(len(entries), 'export')} of {_count(len(models), 'model')}"
    if passed == len(entries) and entries:
        return f"{of_models}: {'all passed' if passed > 1 else 'it passed'}"
    return f"{of_models}: {passed} passed"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


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
