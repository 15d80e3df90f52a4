"""The manifest of a result in the store: its files by digest, and a digest of its own over every byte."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from isoform import store

KINDS = ("training", "reference", "artifact", "verification", "benchmark")
SCHEMA_VERSION = 1
BLOB_NAME = re.compile(r"blobs/([0-9a-f]{2})/\1[0-9a-f]{62}")
ENTRY_NAME = re.compile(rf"entries/({'|'.join(KINDS)})/([0-9a-f]{{2}})/(\2[0-9a-f]{{62}})\.json")
_PERMISSIONS = 0o777


class Damaged(Exception):
    """What stands under ``name`` in the store is not what was put there; ``what`` says why."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(name, what)
        self.name = name
        self.what = what


@dataclass(frozen=True)
class File:
    """One file of a result.

    Attributes:
        path: below the result's folder, with ``/``.
        mode: its permissions.
    """

    path: str
    sha256: str
    size_bytes: int
    mode: int

    @property
    def blob(self) -> str:
        """The name of its bytes in the store."""
        return blob_name(self.sha256)


@dataclass(frozen=True)
class Entry:
    """What the store knows of one result.

    Attributes:
        key: digest of everything that the result depends on.
        name: what people call it.
        created: when it was put there, in UTC: ``2026-01-31T12:00:00Z``. Nothing but lists and pruning looks at it.
        folders: those without a file.
    """

    kind: str
    key: str
    name: str
    created: str
    files: tuple[File, ...]
    folders: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def made(self) -> str:
        """When it was put there, for people."""
        return f"{self.created[:10]} {self.created[11:16]} UTC"

    @property
    def subject(self) -> str:
        """What an error calls it."""
        return f"{self.kind} '{self.name}'"

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_bytes(self) -> bytes:
        """Return the manifest; `from_bytes` accepts these very bytes and no others."""
        return _written(self.to_json())

    @classmethod
    def from_bytes(cls, content: bytes, kind: str, key: str) -> "Entry":
        """Return what `to_bytes` wrote.

        Raises:
            Damaged: any bit is another, some are missing, or it is the manifest of something else.
        """
        name = entry_name(kind, key)
        try:
            said = json.loads(content)["entry"]
            if _written(said) != content:
                raise ValueError("it does not have the digest that it says")
            if (said["schema_version"], said["kind"], said["key"]) != (SCHEMA_VERSION, kind, key):
                raise ValueError("it is the manifest of something else")
            files = tuple(_file(file) for file in said["files"])
            return cls(kind, key, said["name"], said["created"], files, tuple(map(_below, said["folders"])))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Damaged(name, f"its manifest is damaged: {error}") from error


def blob_name(digest: str) -> str:
    """Return where the bytes with this SHA-256 stand."""
    return f"blobs/{digest[:2]}/{digest}"


def entry_name(kind: str, key: str) -> str:
    """Return where a manifest stands."""
    return f"entries/{kind}/{key[:2]}/{key}.json"


def _written(entry: Mapping[str, Any]) -> bytes:
    return json.dumps({"entry": entry, "sha256": store.digest_of(entry)}, indent=1, ensure_ascii=False).encode() + b"\n"


def _file(said: Mapping[str, Any]) -> File:
    if BLOB_NAME.fullmatch(blob_name(said["sha256"])) is None:
        raise ValueError("a digest is none")
    return File(_below(said["path"]), said["sha256"], int(said["size_bytes"]), int(said["mode"]) & _PERMISSIONS)


def _below(path: str) -> str:
    """Return a path that stays in its folder, whoever wrote the manifest."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or "\0" in path:
        raise ValueError(f"'{path}' is no path below a folder")
    return path
