"""What stands in a folder that can be converted, and what to type for each: the answer to ``isoform convert`` alone.

Files are told by their bytes; nothing is loaded or executed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform import routes
from isoform.core.format import FORMATS
from isoform.core.model import MANIFEST_NAME
from isoform.core.spelling import typed
from isoform.errors import IsoformError
from isoform.intake import published
from isoform.intake.container import Container, identify
from isoform.intake.repository import likely_builder

_MOST = 2000
"""How many entries are looked at; a folder of data may have millions."""
_LEFT_OUT = ("exports", "node_modules", "__pycache__", "site-packages")
UNKNOWN = "FILE.py:CALLABLE"
_WEIGHTS_ONLY = ".weights.h5"


@dataclass(frozen=True)
class Found:
    """One thing that can be converted or exported.

    Attributes:
        title: what it is, for people.
        command: what to type; a word in capital letters stands for what only its owner knows.
    """

    path: Path
    title: str
    size_bytes: int
    command: str

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "title": self.title,
            "size_bytes": self.size_bytes,
            "command": self.command,
        }


def survey(folder: Path) -> list[Found]:
    """Return what is in ``folder`` and in the folders in it, sorted by path."""
    found: dict[Path, Found] = {}
    for path in _entries(folder):
        if any(parent in found for parent in path.parents):
            continue  # part of a folder that was found as a whole
        item = (_manifest(path) if path.is_dir() else None) or _model(path)
        if item is not None:
            found[path] = item
    return list(found.values())


def command(container: Container) -> str:
    """Return the command that takes a container to every format that can be reached from here."""
    words = ["isoform", "convert", typed(container.path)]
    if _needs_network(container):
        words += ["--arch", likely_builder(container.path, container.format) or UNKNOWN]
    return " ".join([*words, "--to", ",".join(ready_targets(container.format))])


def _needs_network(container: Container) -> bool:
    if container.path.is_dir() and published.read(container.path) is not None:
        return False
    return FORMATS[container.format].is_checkpoint or container.path.name.endswith(_WEIGHTS_ONLY)


def ready_targets(source: str) -> tuple[str, ...]:
    """Return the formats that ``source`` can become with what is installed; all of them where nothing is."""
    there = routes.targets(source)
    return tuple(name for name in there if not all(way.missing for way in routes.ranked(source, name))) or there


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the folder itself, what is in it and what is in its folders, each folder before its contents."""
    yield folder
    count = 0
    for path in _listed(folder):
        yield path
        for inner in _listed(path) if path.is_dir() else ():
            yield inner
            count += 1
            if count > _MOST:
                return


def _listed(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []  # not ours to read
    return [folder / name for name in names[:_MOST] if name not in _LEFT_OUT and not name.startswith(".")]


def _manifest(path: Path) -> Found | None:
    if not (path / MANIFEST_NAME).is_file():
        return None
    return Found(path, f"folder with an {MANIFEST_NAME}", _size(path), f"isoform export {typed(path)}")


def _model(path: Path) -> Found | None:
    try:
        container = identify(path)
        return Found(path, container.title, _size(path), command(container))
    except IsoformError:  # the most usual case: it is no model
        return None


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
