"""HDF5 files as Keras writes them, looked through before Keras reads one: what leads out of it, what fills memory.

Opened in a child only, as everything is that reads with a library in C. Not aware of what a dataset means.
"""

import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from isoform.errors import IsoformError

_MOST_OBJECTS = 1_000_000
_MOST_RATIO = 200
"""Weights hardly shrink; what unpacks to more than this many times its bytes is there to fill the memory."""
_SMALL_BYTES = 16 << 20


@dataclass(frozen=True)
class Contents:
    """What the files hold beside weights.

    Attributes:
        config: of the network, where a file of the legacy layout has it.
        is_legacy: the layout of before ``.weights.h5``.
    """

    config: Any | None
    is_legacy: bool


def looked_through(path: Path) -> Contents:
    """Return what the HDF5 file at ``path`` is, or that in the archive at ``path``, everything in it checked.

    Raises:
        IsoformError: links, datasets kept in other files, shapes without their bytes; the dataset is named. Damaged.
    """
    with _opened(path) as files:
        for file in files:
            for name, item in _objects(path, file):
                if isinstance(item, h5py.Dataset):
                    _check_dataset(path, name, item)
        is_legacy = any("layer_names" in file.attrs or "model_weights" in file for file in files)
        text = next((file.attrs["model_config"] for file in files if "model_config" in file.attrs), None)
        return Contents(None if text is None else json.loads(text), is_legacy)


@contextmanager
def _opened(path: Path) -> Iterator[list[h5py.File]]:
    """Give the HDF5 files that ``path`` is or holds; what the library finds wrong in them is one error."""
    try:
        with ExitStack() as stack:
            if not zipfile.is_zipfile(path):
                yield [stack.enter_context(h5py.File(path, "r"))]
                return
            archive = stack.enter_context(zipfile.ZipFile(path))
            members = [archive.open(name) for name in archive.namelist() if name.endswith(".h5")]
            yield [stack.enter_context(h5py.File(member, "r")) for member in members]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise IsoformError(
            f"{path}: the HDF5 in it is truncated or damaged ({reason}).", "Fetch or save it again.", kind="damaged"
        ) from error


def _objects(path: Path, file: h5py.File) -> Iterator[tuple[str, Any]]:
    """Yield every object by its name, each once, in groups however deep."""
    waiting: list[tuple[str, Any]] = [("", file)]
    seen = set()
    while waiting:
        place, group = waiting.pop()
        for key in group:
            name = f"{place}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise _refusal(path, f"'{name}' is a link to somewhere else")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise _refusal(path, f"it holds more than {_MOST_OBJECTS} objects")
            yield name, item
            if isinstance(item, h5py.Group):
                waiting.append((name, item))


def _check_dataset(path: Path, name: str, dataset: h5py.Dataset) -> None:
    if dataset.is_virtual or dataset.external:
        raise _refusal(path, f"the dataset '{name}' is kept in another file")
    claimed = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if claimed > max(_SMALL_BYTES, _MOST_RATIO * stored):
        raise _refusal(path, f"the dataset '{name}' claims {claimed} bytes and has {stored}")


def _refusal(path: Path, found: str) -> IsoformError:
    return IsoformError(
        f"{path}: not opened, {found}.", "Save the model again with Keras, as .keras.", kind="unsafe-checkpoint"
    )
