"""Digests and atomic publishing: what stands under its final name is whole, or it is not there.

A folder is written beside its destination, gets its record last and is renamed; a folder without a valid record does
not exist for readers. Not aware of what the files mean.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

_WORKSPACE, _PART = ".isoform.", ".part"
"""What the names of unfinished folders and files begin with, and what those of files end with."""
_HERE, _RENAME_EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of renameat2(2)."""
_SEAL = "record_sha256"
_NOT_SOURCES = {"site-packages", "node_modules", "__pycache__", "build", "dist"}


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON document with its own digest in it, by which a reader finds that any of it was altered."""
    content = json.loads(json.dumps({key: value for key, value in document.items() if key != _SEAL}))
    return {**content, _SEAL: digest_of(content)}


def is_sealed(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is what was `sealed`."""
    return bool(sealed(document)[_SEAL] == document.get(_SEAL))


def digest_files(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Return path (relative, with ``/``) to digest for every file in ``folder`` that one of the globs matches."""
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in sorted(found)}


def digest_sources(root: Path) -> dict[str, str]:
    """Return path to digest for every Python file below ``root``, but for installed packages and hidden folders."""
    found: dict[str, str] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_SOURCES)
        paths = (Path(folder) / name for name in sorted(names) if name.endswith(".py"))
        found |= {path.relative_to(root).as_posix(): digest_file(path) for path in paths}
    return found


def inventory(folder: Path) -> dict[str, dict[str, Any]]:
    """Return relative path to ``{"sha256", "size_bytes"}`` for every file below ``folder``."""
    return {
        name: {"sha256": digest, "size_bytes": (folder / name).stat().st_size}
        for name, digest in digest_files(folder, ["**/*"]).items()
    }


def altered_files(folder: Path, recorded: dict[str, dict[str, Any]]) -> list[str]:
    """Return the recorded files that are gone or whose bytes are no longer those recorded."""
    return [
        name
        for name, entry in recorded.items()
        if not (folder / name).is_file()
        or (folder / name).stat().st_size != entry["size_bytes"]
        or digest_file(folder / name) != entry["sha256"]
    ]


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; when the block ends without an error it becomes ``path``: a reader never sees a part.

    Parts that killed processes left beside it are removed first, as `workspace` does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent)
    part, lock = _locked(lambda: _new_part(path))
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException as error:  # Ctrl-C too: no half-written file stays
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise
    finally:
        os.close(lock)
    _sync_folder(path.parent)


def _new_part(path: Path) -> Path:
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f"{_WORKSPACE}{path.name[:64]}.", suffix=_PART)
    os.close(handle)
    return Path(part)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never a part."""
    with writing(path) as file:
        file.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically."""
    write_bytes(path, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def read_json(path: Path) -> Any | None:
    """Return the document in ``path``, or None where there is no whole one: it is then as if never written."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


@contextmanager
def publishing(destination: Path) -> Iterator[Path]:
    """Give a folder to write into; when the block ends without an error it becomes ``destination``.

    An earlier folder of that name stays untouched until then, and for good if the block raises.
    """
    with workspace(destination.parent) as folder:
        yield folder
        _sync_tree(folder)
        os.chmod(folder, 0o755)
        if not _is_renamed(folder, destination) and not _is_exchanged(folder, destination):
            _replace_folder(folder, destination)
        _sync_folder(destination.parent)


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """Give an empty folder in ``parent``, which is gone when the block ends, whatever it has become by then.

    Those that killed processes left in ``parent`` are removed first: their locks ended with them.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent)
    folder, lock = _locked(lambda: Path(tempfile.mkdtemp(dir=parent, prefix=_WORKSPACE)))
    try:
        yield folder
    except OSError as error:
        error.filename = error.filename or str(parent)  # where a disk is full, nobody says which
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Return a new file or folder, and the open file that holds its lock."""
    while True:
        made = make()
        with suppress(FileNotFoundError):  # another process saw it before it was locked, and removed it
            lock = os.open(made, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: then nothing is ever taken for abandoned
                fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                return made, lock
            os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove the unfinished folders and files that killed processes left in ``parent``, where there is one."""
    for path in parent.glob(f"{_WORKSPACE}*"):
        is_part = path.name.endswith(_PART)
        with suppress(OSError):  # it is gone, somebody holds it, or it is not ours to remove
            lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | (0 if is_part else os.O_DIRECTORY))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink() if is_part else shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _is_exchanged(folder: Path, destination: Path) -> bool:
    """Let two folders swap their names at once, so that no moment is without either; only Linux can."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None or destination.is_symlink() or not destination.is_dir():
        return False
    return bool(exchange(_HERE, os.fsencode(folder), _HERE, os.fsencode(destination), _RENAME_EXCHANGE) == 0)


def _replace_folder(folder: Path, destination: Path) -> None:
    """Give the folder its name in two steps. Of several processes at once, the last one's folder stays."""
    with workspace(destination.parent) as retired:
        earlier: list[Path] = []
        try:
            while not _is_renamed(folder, destination):
                place = retired / str(len(earlier))
                with suppress(FileNotFoundError):  # another process has taken it away
                    os.rename(destination, place)
                    earlier.append(place)
        except OSError:
            if earlier and not destination.exists():
                os.rename(earlier[-1], destination)
            raise


def _is_renamed(workspace: Path, destination: Path) -> bool:
    """Rename a folder, unless something stands under its new name."""
    try:
        os.rename(workspace, destination)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            return False
        raise
    return True


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
