"""The figures behind a chart or a table: shown as a table, and downloaded as CSV, JSON or Markdown.

Not aware of what they mean: a column says how its values are shown, and its key, which bears the unit, is what a
program reads.
"""

import base64
import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from isoform.stages.report.text import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


@dataclass(frozen=True)
class Column:
    """One column: its key in JSON and CSV, its heading, and how a value is written for people."""

    key: str
    heading: str
    show: Callable[[Any], str] = _plain
    is_number: bool = False


@dataclass(frozen=True)
class Sheet:
    """Rows of figures.

    Attributes:
        name: the stem of the downloaded files, and an identifier within the page.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def shown(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[column.show(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]

    @property
    def document(self) -> dict[str, Any]:
        """The rows for JSON, as pandas' ``read_json(orient="split")`` reads them; what is infinite is null."""
        keys = [column.key for column in self.columns]
        return {"columns": keys, "data": [list(map(_finite, row)) for row in self.rows]}

    @property
    def csv(self) -> str:
        """The rows as RFC 4180 has them, keys first; text that a spreadsheet would obey begins with an apostrophe."""
        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerow([column.key for column in self.columns])
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return written.getvalue()

    @property
    def json(self) -> str:
        return json.dumps(self.document, separators=(",", ":"))

    @property
    def markdown(self) -> str:
        """The rows as a Markdown table."""
        lines = [
            [column.heading for column in self.columns],
            ["---:" if column.is_number else "---" for column in self.columns],
            *self.shown,
        ]
        return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)

    @property
    def downloads(self) -> list[tuple[str, str, str]]:
        """(what, file name, ``data:`` address) of each form: they need no file beside the page and no script."""
        return [
            ("CSV", f"{self.name}.csv", address("text/csv", self.csv)),
            ("JSON", f"{self.name}.json", address("application/json", self.json)),
        ]


def address(media_type: str, content: str) -> str:
    """Return a ``data:`` address that holds ``content``."""
    encoded = base64.b64encode(content.encode("utf-8", "backslashreplace")).decode()
    return f"data:{media_type};charset=utf-8;base64,{encoded}"


def everything(sheets: Sequence[Sheet]) -> str:
    """Return all sheets as one JSON document."""
    return json.dumps({sheet.name: sheet.document for sheet in sheets}, separators=(",", ":"))


def markdown(sheets: Sequence[Sheet]) -> str:
    """Return all sheets as Markdown, each under its title."""
    return "\n\n".join(f"## {_escaped(sheet.title)}\n\n{sheet.markdown}" for sheet in sheets) + "\n"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else value


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
