"""Taking results out of a store and putting them into it; no process waits for another one."""

import datetime as dt
import fcntl
import hashlib
import json
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from isoform import store
from isoform.cache.area import Area, LocalArea
from isoform.cache.entry import Damaged, Entry, File, entry_name
from isoform.cache.remote import RemoteArea
from isoform.errors import UsageError

Tell = Callable[[str], None]

_CHUNK_BYTES = 1 << 20
_FICLONE = 0x40049409
"""Linux' ioctl that lets two files share their blocks until one is written to (include/uapi/linux/fs.h)."""
_RECORD_NAME = "record.json"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Hit:
    """A result that came out of the store."""

    entry: Entry

    @property
    def told(self) -> str:
        """What people are told: that nothing was done, and from when it is."""
        return f"from the store, of {self.entry.made}"


class _Unreadable(Exception):
    """The store itself fails to read; its cause says why."""


def open_store(url: str, tell: Tell) -> "Store":
    """Return the store in a folder, or at a URL such as ``s3://bucket/path``.

    Args:
        tell: called with one line about what is damaged, or what the store refuses; the work goes on.

    Raises:
        UsageError: no store can be there.
        MissingDependency: the package for such a URL is not installed.
        IsoformError: it does not answer.
    """
    return Store(open_area(url), tell)


def open_area(url: str) -> Area:
    """Return where a store lies; see `open_store`."""
    if not url:
        raise UsageError("The name of the store is empty.", "Name a folder, or a URL such as s3://bucket/path.")
    if _URL.match(url) and not url.startswith("file://"):
        return RemoteArea(url)
    folder = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else Path(url).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"The store {folder} is not a folder.", "Name a folder, or a URL such as s3://bucket/path.")
    return LocalArea(folder.absolute())


class Store:
    """Results under their keys. Calls may come from several threads and processes.

    Attributes:
        area: where it lies.
    """

    def __init__(self, area: Area, tell: Tell) -> None:
        self.area = area
        self._tell = tell
        self._lock = threading.Lock()
        self._refused: set[str] = set()

    def get(self, kind: str, key: str, destination: Path, amend: Callable[[Path], None] | None = None) -> Hit | None:
        """Make ``destination`` a copy of a result, every byte of it hashed; None where the store has no whole one.

        Args:
            amend: called with the copy before it gets its name.

        Raises:
            OSError: the destination cannot be written.
        """
        if "reading" in self._refused:
            return None
        try:
            entry = self._entry(kind, key)
            if entry is None:
                return None
            with store.publishing(destination) as folder:
                for name in entry.folders:
                    (folder / name).mkdir(parents=True, exist_ok=True)
                for file in entry.files:
                    self._copy(file, folder / file.path)
                if amend is not None:
                    amend(folder)
            return Hit(entry)
        except Damaged as error:
            self._set_aside(error, entry_name(kind, key))
        except _Unreadable as error:
            self._refuse("reading", error.__cause__)
        return None

    def has(self, kind: str, key: str) -> bool:
        """Tell whether there is a manifest; whether all is whole, only `get` tells."""
        try:
            return self.area.size_bytes(entry_name(kind, key)) is not None
        except OSError as error:
            self._refuse("reading", error)
            return False

    def put(self, kind: str, key: str, name: str, folder: Path, files: Iterable[str] | None = None) -> None:
        """Keep the files of ``folder``, all or those named; what the store refuses is told once, and no error."""
        if "writing" in self._refused:
            return
        try:
            if self._is_whole(kind, key):
                return
            chosen = sorted(files) if files is not None else _files(folder)
            kept = tuple(_described(folder, path) for path in chosen)
            created = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            entry = Entry(kind, key, name, created, kept, _empty_folders(folder) if files is None else ())
            self._add(entry, folder)
            self.area.write(entry_name(kind, key), entry.to_bytes())
            self._add(entry, folder)  # what was pruned as nobody's before the manifest stood there
        except OSError as error:
            self._refuse("writing", error)

    def get_record(self, kind: str, key: str) -> tuple[Any, Hit] | None:
        """Return a JSON document that `put_record` kept."""
        with tempfile.TemporaryDirectory(prefix="isoform-record.") as scratch:
            folder = Path(scratch) / "entry"
            hit = self.get(kind, key, folder)
            return None if hit is None else (json.loads((folder / _RECORD_NAME).read_bytes()), hit)

    def put_record(self, kind: str, key: str, name: str, value: Any) -> None:
        """Keep a JSON document."""
        with tempfile.TemporaryDirectory(prefix="isoform-record.") as scratch:
            store.write_json(Path(scratch) / _RECORD_NAME, value)
            self.put(kind, key, name, Path(scratch))

    def _entry(self, kind: str, key: str) -> Entry | None:
        try:
            with self.area.open(entry_name(kind, key)) as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _Unreadable from error
        return Entry.from_bytes(content, kind, key)

    def _is_whole(self, kind: str, key: str) -> bool:
        """Tell whether the result is there already, as far as sizes tell; a damaged manifest is set aside."""
        try:
            entry = self._entry(kind, key)
        except Damaged as error:
            self._set_aside(error, error.name)
            return False
        except _Unreadable as error:
            raise OSError(str(error.__cause__)) from error
        return entry is not None and all(self.area.size_bytes(file.blob) == file.size_bytes for file in entry.files)

    def _add(self, entry: Entry, folder: Path) -> None:
        for file in entry.files:
            self.area.add(file.blob, folder / file.path)

    def _copy(self, file: File, target: Path) -> None:
        try:
            source = self.area.open(file.blob)
        except FileNotFoundError:
            raise Damaged(file.blob, f"the bytes of {file.path} are gone") from None
        except OSError as error:
            raise _Unreadable from error
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("xb") as written:
            digest = None if _is_cloned(source, written) else _copied(source, written)
        if (digest or store.digest_file(target)) != file.sha256:
            raise Damaged(file.blob, f"the bytes of {file.path} are not those that were put there")
        target.chmod(file.mode | 0o600)

    def _set_aside(self, error: Damaged, manifest: str) -> None:
        try:
            for name in dict.fromkeys((error.name, manifest)):
                set_aside(self.area, name)
            self._tell(f"store {self.area.place}: {manifest}: {error.what}; set aside, and done again")
        except OSError as refused:
            self._tell(f"store {self.area.place}: {manifest}: {error.what}; it stays ({refused}), and is done again")

    def _refuse(self, what: str, error: BaseException | None) -> None:
        with self._lock:
            if what in self._refused:
                return
            self._refused.add(what)
        told = "nothing is taken out of it" if what == "reading" else "nothing more is put into it"
        self._tell(f"store {self.area.place}: {told}: {error}; the work goes on without")


def set_aside(area: Area, name: str) -> None:
    """Move a damaged file out of the way, under a name of its own; another process may have done so."""
    with suppress(FileNotFoundError):
        area.move(name, f"aside/{name.rpartition('/')[2]}.{uuid.uuid4().hex[:8]}")


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _empty_folders(folder: Path) -> tuple[str, ...]:
    empty = (path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir()))
    return tuple(sorted(path.relative_to(folder).as_posix() for path in empty))


def _described(folder: Path, path: str) -> File:
    status = (folder / path).stat()
    return File(path, store.digest_file(folder / path), status.st_size, status.st_mode & 0o777)


def _is_cloned(source: IO[bytes], written: IO[bytes]) -> bool:
    """Let ``written`` share the blocks of ``source`` where both lie on a file system that can."""
    try:
        fcntl.ioctl(written.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _copied(source: IO[bytes], written: IO[bytes]) -> str:
    """Copy, and return the digest of what was read."""
    sha = hashlib.sha256()
    while chunk := _read(source):
        sha.update(chunk)
        written.write(chunk)
    return sha.hexdigest()


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(_CHUNK_BYTES)
    except OSError as error:
        raise _Unreadable from error
