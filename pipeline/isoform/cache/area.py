"""Where a store lies: files under names with ``/``, whole or not there. Here a local folder; remote.py has the others.

Not aware of what is kept. Methods raise OSError for what the system refuses, FileNotFoundError for what is not there.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from isoform import store


class Area(Protocol):
    """A place for files."""

    place: str
    """What people call it."""

    def open(self, name: str) -> IO[bytes]:
        """Return a file to read."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of an earlier one."""

    def add(self, name: str, path: Path) -> None:
        """Copy the file ``path`` there, whose digest ends ``name``, unless these bytes are there already."""

    def size_bytes(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""

    def names(self, below: str) -> Iterator[tuple[str, int]]:
        """Yield name and size of every file below a folder."""

    def age_s(self, name: str) -> float:
        """Return how long ago a file was written."""

    def move(self, name: str, target: str) -> None:
        """Give a file another name."""

    def remove(self, name: str) -> None:
        """Remove a file."""


class LocalArea:
    """A folder. Files are written beside their name, synced and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.place = str(root)

    def open(self, name: str) -> IO[bytes]:
        return (self._root / name).open("rb")

    def write(self, name: str, content: bytes) -> None:
        store.write_bytes(self._root / name, content)

    def add(self, name: str, path: Path) -> None:
        target = self._root / name
        if target.is_file() and store.digest_file(target) == target.name:
            with suppress(PermissionError):  # of another user, who may prune it all the same: it is then made again
                target.touch()
            return
        with path.open("rb") as source, store.writing(target) as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def size_bytes(self, name: str) -> int | None:
        path = self._root / name
        return path.stat().st_size if path.is_file() else None

    def names(self, below: str) -> Iterator[tuple[str, int]]:
        for path in sorted((self._root / below).rglob("*")):
            with suppress(FileNotFoundError):  # another process has just moved it
                if path.is_file():
                    yield path.relative_to(self._root).as_posix(), path.stat().st_size

    def age_s(self, name: str) -> float:
        return time.time() - (self._root / name).stat().st_mtime

    def move(self, name: str, target: str) -> None:
        (self._root / target).parent.mkdir(parents=True, exist_ok=True)
        (self._root / name).rename(self._root / target)

    def remove(self, name: str) -> None:
        (self._root / name).unlink()
