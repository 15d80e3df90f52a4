"""A store at a URL: S3, Google Cloud Storage, and whatever else fsspec opens.

Object stores write a file whole or not at all; what another one leaves half-written is found by its digest. Foreign
errors become OSError here, and nowhere else.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from isoform.errors import IsoformError, MissingDependency, UsageError

_EXTRAS = {"s3": "s3", "s3a": "s3"}


class RemoteArea:
    """A folder of a file system of fsspec."""

    def __init__(self, url: str) -> None:
        """Open it.

        Raises:
            UsageError: no such protocol or bucket.
            MissingDependency: its package is not installed.
            IsoformError: it does not answer, or does not let one in.
        """
        self.place = url.rstrip("/")
        self._files, self._root = _opened(self.place)
        try:
            with _border():
                self._require_bucket()
        except OSError as error:
            raise IsoformError(
                f"The store {self.place} does not answer: {error}.",
                "Check the address and your credentials, or leave out --store.",
                kind="unreachable",
            ) from error

    def open(self, name: str) -> IO[bytes]:
        with _border():
            opened: IO[bytes] = self._files.open(self._path(name), "rb")
        return opened

    def write(self, name: str, content: bytes) -> None:
        with _border():
            self._make_parent(name)
            self._files.pipe_file(self._path(name), content)

    def add(self, name: str, path: Path) -> None:
        if self.size_bytes(name) == path.stat().st_size:
            return
        with _border():
            self._make_parent(name)
            self._files.put_file(str(path), self._path(name))

    def size_bytes(self, name: str) -> int | None:
        try:
            with _border():
                return int(self._files.size(self._path(name)))
        except FileNotFoundError:
            return None

    def names(self, below: str) -> Iterator[tuple[str, int]]:
        try:
            with _border():
                found = self._files.find(self._path(below), detail=True)
        except FileNotFoundError:
            return
        root = self._files._strip_protocol(self._root).rstrip("/")
        for path, said in sorted(found.items()):
            yield path[len(root) :].lstrip("/"), int(said["size"])

    def age_s(self, name: str) -> float:
        with _border():
            written: dt.datetime = self._files.modified(self._path(name))
        moment = written if written.tzinfo else written.replace(tzinfo=dt.UTC)
        return (dt.datetime.now(dt.UTC) - moment).total_seconds()

    def move(self, name: str, target: str) -> None:
        with _border():
            self._make_parent(target)
            self._files.mv(self._path(name), self._path(target))

    def remove(self, name: str) -> None:
        with _border():
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_parent(self, name: str) -> None:
        """Make the folder of a file where folders are things; a bucket is never made."""
        if self._root.startswith("/"):
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _require_bucket(self) -> None:
        bucket = self._root.partition("/")[0]
        if not bucket:
            self._files.exists(self._root)
            return
        try:
            self._files.ls(bucket, detail=False)
        except FileNotFoundError:
            raise UsageError(
                f"The store {self.place}: there is no bucket '{bucket}'.", "Make it first, or name another."
            ) from None


@contextmanager
def _border() -> Iterator[None]:
    """Turn what a file system of fsspec raises, each its own, into OSError."""
    try:
        yield
    except (OSError, IsoformError):
        raise
    except Exception as error:  # every package behind fsspec has exceptions of its own
        raise OSError(f"{type(error).__name__}: {error}") from error


def _opened(url: str) -> tuple[Any, str]:
    protocol = url.partition("://")[0]
    try:
        import fsspec
    except ImportError:
        extra = _EXTRAS.get(protocol, "s3")
        raise MissingDependency.of("fsspec", f"The store {url}", extra) from None
    if protocol not in fsspec.available_protocols():
        raise UsageError(
            f"The store {url}: '{protocol}' is no protocol.", "A folder, or a URL such as s3://bucket/path."
        )
    try:
        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        hint = f"pip install 'isoform[{_EXTRAS[protocol]}]'" if protocol in _EXTRAS else f"{error}"
        raise MissingDependency(f"The store {url} needs a package that is not installed.", hint) from error
    except Exception as error:  # as in _border: every package its own
        raise UsageError(f"The store {url} cannot be opened: {error}.", "Check the address.") from error
    return files, root.rstrip("/")
