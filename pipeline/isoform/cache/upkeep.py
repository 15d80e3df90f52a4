"""Looking after a store: what is in it, whether every byte is as it was put there, and what may go.

Other processes may use the store meanwhile: nothing here makes their work wrong, at worst it is done again.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from isoform.cache.area import Area
from isoform.cache.entry import BLOB_NAME, ENTRY_NAME, Damaged, Entry, File, entry_name
from isoform.cache.storage import set_aside

GRACE_S = 3600.0
"""A file that belongs to no entry may be one whose manifest is about to be written; after this long it is left over."""


@dataclass(frozen=True)
class Contents:
    """What is in a store.

    Attributes:
        entries: the oldest first; those with a damaged manifest are not among them.
        blobs: name to size, of all files of bytes.
        damaged: manifests that cannot be read.
        aside: how many files were set aside.
    """

    entries: tuple[Entry, ...]
    blobs: dict[str, int]
    damaged: tuple[Damaged, ...]
    aside: int

    @property
    def size_bytes(self) -> int:
        return sum(self.blobs.values())

    def to_json(self) -> dict[str, Any]:
        rows = [
            {"kind": entry.kind, "key": entry.key, "name": entry.name, "created": entry.created,
             "size_bytes": entry.size_bytes, "files": len(entry.files)}
            for entry in self.entries
        ]  # fmt: skip
        return {
            "entries": rows, "blobs": len(self.blobs), "size_bytes": self.size_bytes, "damaged": len(self.damaged),
            "aside": self.aside,
        }  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """What a check of every byte came to.

    Attributes:
        entries: how many are whole; size_bytes: how much was hashed.
        damaged: what is not, each file once; it is set aside, with the entries that need it.
    """

    entries: int
    size_bytes: int
    damaged: tuple[Damaged, ...]

    def to_json(self) -> dict[str, Any]:
        told = [{"name": each.name, "what": each.what} for each in self.damaged]
        return {"entries": self.entries, "size_bytes": self.size_bytes, "damaged": told}


@dataclass(frozen=True)
class Rule:
    """What goes.

    Attributes:
        older_than_s: entries made longer ago than this.
        larger_than_bytes: the oldest entries, until the store is not larger than this.
        kinds: only entries of these kinds; empty for all.
        is_all: every entry, and what was set aside.
    """

    older_than_s: float | None = None
    larger_than_bytes: int | None = None
    kinds: tuple[str, ...] = ()
    is_all: bool = False


@dataclass(frozen=True)
class Pruned:
    """What has gone, or would go; files of bytes, manifests, what was set aside and what writers left half-written."""

    entries: tuple[Entry, ...]
    files: int
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        rows = [{"kind": entry.kind, "key": entry.key, "name": entry.name} for entry in self.entries]
        return {"entries": rows, "files": self.files, "size_bytes": self.size_bytes}


def contents(area: Area) -> Contents:
    """Return what is in a store, by its manifests."""
    blobs = {name: size for name, size in area.names("blobs") if BLOB_NAME.fullmatch(name)}
    entries: list[Entry] = []
    damaged: list[Damaged] = []
    for kind, key in _keys(area):
        with suppress(FileNotFoundError):  # pruned meanwhile
            try:
                entries.append(_entry(area, kind, key))
            except Damaged as error:
                damaged.append(error)
    aside = sum(1 for _ in area.names("aside"))
    return Contents(tuple(sorted(entries, key=_age)), blobs, tuple(damaged), aside)


def verify(area: Area) -> Checked:
    """Hash every byte of a store; what is damaged is set aside."""
    found = contents(area)
    damaged = {each.name: each for each in found.damaged}
    good: set[str] = set()
    for name in found.blobs:
        error = _blob_error(area, name)
        if error is None:
            good.add(name)
        else:
            damaged[error.name] = error
    broken = []
    for entry in found.entries:
        bad = [file for file in entry.files if not _is_good(area, file, good, damaged)]
        if bad:
            broken.append(entry_name(entry.kind, entry.key))
    for name in (*damaged, *broken):
        set_aside(area, name)
    return Checked(len(found.entries) - len(broken), found.size_bytes, tuple(damaged.values()))


def prune(area: Area, rule: Rule, now: dt.datetime, *, is_dry: bool = False) -> Pruned:
    """Take out what a rule says, and what belongs to no entry and is older than an hour."""
    found = contents(area)
    going = _going(found, rule, now)
    names = [entry_name(entry.kind, entry.key) for entry in going]
    keys = {(entry.kind, entry.key) for entry in going}
    needed = {file.blob for entry in found.entries if (entry.kind, entry.key) not in keys for file in entry.files}
    freed = {file.blob for entry in going for file in entry.files} - needed
    sizes = {name: found.blobs[name] for name in sorted(freed & found.blobs.keys())}
    sizes |= {name: size for name, size in found.blobs.items() if name not in needed | freed and _is_left(area, name)}
    for folder in ("blobs", "entries"):
        sizes |= {name: size for name, size in area.names(folder) if _is_temporary(name) and _is_left(area, name)}
    if rule.is_all:
        sizes |= dict(area.names("aside"))
    for name in () if is_dry else (*names, *sizes):
        with suppress(FileNotFoundError):
            area.remove(name)
    return Pruned(tuple(going), len(names) + len(sizes), sum(sizes.values()))


def _going(found: Contents, rule: Rule, now: dt.datetime) -> list[Entry]:
    chosen = [entry for entry in found.entries if not rule.kinds or entry.kind in rule.kinds]
    if rule.is_all:
        return chosen
    going = [entry for entry in chosen if rule.older_than_s is not None and _age_s(entry, now) > rule.older_than_s]
    if rule.larger_than_bytes is not None:
        rest = [entry for entry in chosen if entry not in going]
        while rest and _size_without(found, going) > rule.larger_than_bytes:
            going.append(rest.pop(0))
    return going


def _size_without(found: Contents, going: Sequence[Entry]) -> int:
    """Return how large the bytes of all other entries are, each file counted once."""
    keys = {(entry.kind, entry.key) for entry in going}
    kept = {file.blob for entry in found.entries if (entry.kind, entry.key) not in keys for file in entry.files}
    return sum(found.blobs.get(name, 0) for name in kept)


def _age(entry: Entry) -> tuple[str, str, str]:
    return entry.created, entry.kind, entry.key


def _age_s(entry: Entry, now: dt.datetime) -> float:
    return (now - dt.datetime.fromisoformat(entry.created)).total_seconds()


def _keys(area: Area) -> Iterator[tuple[str, str]]:
    for name, _ in area.names("entries"):
        match = ENTRY_NAME.fullmatch(name)
        if match is not None:
            yield match[1], match[3]


def _entry(area: Area, kind: str, key: str) -> Entry:
    with area.open(entry_name(kind, key)) as file:
        return Entry.from_bytes(file.read(), kind, key)


def _is_good(area: Area, file: File, good: set[str], damaged: dict[str, Damaged]) -> bool:
    """Tell whether the bytes of a file are whole; those written since the list was made are looked at now."""
    if file.blob not in good and file.blob not in damaged:
        error = _blob_error(area, file.blob)
        if error is None:
            good.add(file.blob)
        else:
            damaged[file.blob] = error
    return file.blob in good


def _blob_error(area: Area, name: str) -> Damaged | None:
    try:
        with area.open(name) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except FileNotFoundError:
        return Damaged(name, "these bytes are gone")
    return (
        None if digest == name.rpartition("/")[2] else Damaged(name, "these bytes do not have the digest of their name")
    )


def _is_left(area: Area, name: str) -> bool:
    with suppress(FileNotFoundError):
        return area.age_s(name) > GRACE_S
    return False


def _is_temporary(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")
