"""The rows on disk: docs/zoo.json, a line a row, so that a run can be broken off and taken up again.

Several runs may share the file: each change is made under a lock to what stands there at that moment.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "zoo.json"
CONVERSIONS, SPEED = "conversions", "speed"
Rows = dict[str, dict[str, Any]]


class Results:
    """Rows of conversions by ``model > target``, and of speed by model; every change is on disk at once."""

    def __init__(self, path: Path = FILE) -> None:
        self.path = path
        self.about: dict[str, Any] = {}
        self.conversions: Rows = {}
        self.speed: Rows = {}
        self._read()

    def __contains__(self, name: str) -> bool:
        return name in self.conversions

    def describe(self, **about: Any) -> None:
        """Say what the rows were measured on."""
        with self._changed():
            self.about |= about

    def add(self, row: dict[str, Any]) -> None:
        """Put a conversion in the place of an earlier one of the same model and target."""
        with self._changed():
            self.conversions[key(row)] = row

    def add_speed(self, row: dict[str, Any]) -> None:
        """Put the speed of a model in the place of an earlier one."""
        with self._changed():
            self.speed[row["model"]] = row

    @contextmanager
    def _changed(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._read()
            yield
            self._write()
        finally:
            os.close(descriptor)

    def _read(self) -> None:
        record = json.loads(self.path.read_text()) if self.path.is_file() else {}
        self.about = record.get("about", {})
        self.conversions = {key(row): row for row in record.get(CONVERSIONS, [])}
        self.speed = {row["model"]: row for row in record.get(SPEED, [])}

    def _write(self) -> None:
        parts = [f'"about": {json.dumps(self.about)}']
        for name, rows in ((CONVERSIONS, self.conversions), (SPEED, self.speed)):
            lines = ",\n".join(f"  {json.dumps(rows[each])}" for each in sorted(rows))
            parts.append(f'"{name}": [\n{lines}\n]')
        partial = self.path.with_suffix(".partial")
        partial.write_text("{" + ",\n".join(parts) + "}\n")
        os.replace(partial, self.path)


def key(row: dict[str, Any]) -> str:
    """Return the name of a conversion."""
    return f"{row['model']} > {row['target']}"
