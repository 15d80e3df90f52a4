"""Zip archives as an attacker writes them."""

import struct
import zipfile
from pathlib import Path


def written(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """Return ``path`` with an ordinary archive of ``members``."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def patched(path: Path, old: bytes, new: bytes, count: int = 1) -> Path:
    """Return ``path`` with the first ``old`` bytes replaced."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, count))
    return path


def lying_directory(path: Path, size: int) -> Path:
    """Return ``path``, the directory of which says that its first member unpacks to ``size`` bytes."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, size)
    path.write_bytes(data)
    return path
