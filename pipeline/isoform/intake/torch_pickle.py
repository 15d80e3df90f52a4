"""PyTorch's checkpoints as files: which pickles are in them and what these would import, without executing them.

Two layouts: a zip archive with one ``data.pkl`` and a file for each storage (since PyTorch 1.6), and the one before:
three pickles (magic number, protocol, machine), the object, the storages' keys, then raw bytes.
"""

import io
import zipfile
from pathlib import Path

from isoform.intake import zip_archive
from isoform.intake.pickle_scan import PickleScan, beyond_weights, scan
from isoform.intake.zip_archive import refusal

_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The magic number 0x1950a86a20f9469cfc6c as a pickle, behind its protocol."""
_LEGACY_PICKLES = 5
_MOST_PICKLE_BYTES = 256 << 20
_LISTED = 12


def is_legacy(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is the older layout."""
    return head[:1] == b"\x80" and head[2 : 2 + len(_MAGIC)] == _MAGIC


def is_pickle(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is a pickle of protocol 2 or above."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def imports_of(path: Path) -> tuple[str, ...]:
    """Return what loading the checkpoint at ``path`` would import.

    Raises:
        IsoformError: damaged, truncated, or more than one container in one file.
    """
    with path.open("rb") as file:
        head = file.read(64)
    return _of_archive(path) if head[:4] == b"PK\x03\x04" else _of_legacy(path, is_legacy(head))


def refuse_code(path: Path) -> None:
    """Refuse a checkpoint whose loading would import more than weights need; everything of that is listed.

    Raises:
        IsoformError: kind "unsafe-checkpoint", or what `imports_of` raises.
    """
    found = beyond_weights(imports_of(path))
    if found:
        raise code_refusal(path, found)


def code_refusal(path: Path, imports: tuple[str, ...]) -> Exception:
    """Return the error that lists what loading would import."""
    more = f" and {len(imports) - _LISTED} more" if len(imports) > _LISTED else ""
    return refusal(
        path,
        f"holds more than weights; loading it would import and may run: {', '.join(imports[:_LISTED])}{more}.",
        "Save the weights alone: torch.save(model.state_dict(), PATH). Only if you trust who made it: --allow-pickle",
        "unsafe-checkpoint",
    )


def _of_archive(path: Path) -> tuple[str, ...]:
    with zip_archive.open_checked(path) as archive:
        zip_archive.check_bytes(path, archive)
        pickles = [info for info in archive.infolist() if info.filename.endswith(".pkl")]
        if [info.filename.split("/")[-1] for info in pickles].count("data.pkl") > 1:
            raise refusal(path, "more than one data.pkl in the archive.", kind="ambiguous-container")
        return tuple(sorted({name for info in pickles for name in _scanned(path, archive, info).imports}))


def _scanned(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> PickleScan:
    if info.file_size > _MOST_PICKLE_BYTES:
        raise refusal(path, f"the pickle '{info.filename}' has {info.file_size} bytes.", kind="zip-bomb")
    data = archive.read(info)
    found = _whole(path, io.BytesIO(data), info.filename)
    if found.end != len(data):
        raise refusal(path, f"bytes stand behind the pickle '{info.filename}'.", kind="ambiguous-container")
    return found


def _of_legacy(path: Path, has_storages: bool) -> tuple[str, ...]:
    found: set[str] = set()
    with path.open("rb") as file:
        for number in range(_LEGACY_PICKLES if has_storages else 1):
            found |= set(_whole(path, file, f"number {number + 1}").imports)
        rest = file.read(64)
    if not has_storages and rest:
        raise refusal(path, "other bytes stand behind the pickle.", "Save the model again.", "ambiguous-container")
    return tuple(sorted(found))


def _whole(path: Path, stream: io.BufferedIOBase, name: str) -> PickleScan:
    try:
        return scan(stream)  # type: ignore[arg-type]
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise refusal(path, f"truncated or damaged: the pickle '{name}' does not end ({str(error)[:80]}).") from error
