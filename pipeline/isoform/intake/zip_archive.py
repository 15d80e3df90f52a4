"""Zip archives, judged before any loader sees them: their directory, the header of each member, its bytes' checksum.

Loaders differ in which of two headers they believe; so an archive whose headers disagree is refused.
Not aware of models.
"""

import stat
import struct
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from isoform.errors import IsoformError

MOST_MEMBERS = 200_000
MOST_RATIO = 200
"""Weights hardly shrink; a member that unpacks to more than this many times its bytes is there to fill the memory."""
MOST_UNPACKED_BYTES = 1 << 40
_SMALL_BYTES = 16 << 20
"""Members below this may shrink as they like: text does, and a layer of zeros."""
_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_END_BYTES = 22
"""The record at the end of the directory, without its comment."""
_HAS_DESCRIPTOR = 0x08
_IS_ENCRYPTED = 0x01
_CHUNK_BYTES = 1 << 20


def refusal(path: Path, what: str, hint: str = "Fetch or save the file again.", kind: str = "damaged") -> IsoformError:
    """Return the error that says why ``path`` is not opened."""
    return IsoformError(f"{path}: {what}", hint, kind=kind)


def open_checked(path: Path) -> zipfile.ZipFile:
    """Return the archive at ``path``, opened, its directory checked; `check_bytes` reads the rest.

    Raises:
        IsoformError: truncated, a zip bomb, members that leave the folder or have equal names, headers that disagree.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError, EOFError, OSError) as error:
        raise refusal(path, f"the zip archive is damaged or truncated ({error}).") from error
    try:
        _check_directory(path, archive)
        _check_headers(path, archive)
    except BaseException:  # whatever ended it, Ctrl-C too: no open file may stay; raised again
        archive.close()
        raise
    return archive


def check_bytes(path: Path, archive: zipfile.ZipFile) -> None:
    """Read every member once against its checksum and its declared size.

    Raises:
        IsoformError: a member's bytes are not those that were stored; it is named.
    """
    for info in archive.infolist():
        try:
            with archive.open(info) as member:
                while member.read(_CHUNK_BYTES):
                    pass
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError) as error:
            raise refusal(path, f"the member '{info.filename}' is damaged ({error}).") from error
        except Exception as error:  # the decompressors (zlib, lzma) raise types of their own
            raise refusal(path, f"the member '{info.filename}' does not unpack ({error}).") from error


def _check_directory(path: Path, archive: zipfile.ZipFile) -> None:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise refusal(path, f"the zip archive has {len(infos)} members, more than {MOST_MEMBERS}.", kind="zip-bomb")
    seen: dict[str, str] = {}
    for info in infos:
        refuse_unsafe_name(path, info.orig_filename)
        key = unicodedata.normalize("NFC", info.orig_filename).casefold()
        if key in seen:
            raise refusal(
                path,
                f"two members of the zip archive have one name: '{seen[key]}' and '{info.orig_filename}'.",
                kind="ambiguous-container",
            )
        seen[key] = info.orig_filename
        _check_member(path, info)
    total = sum(info.file_size for info in infos)
    if total > MOST_UNPACKED_BYTES or total > MOST_RATIO * max(path.stat().st_size, _SMALL_BYTES):
        raise refusal(
            path, f"a zip bomb: {path.stat().st_size} bytes that unpack to {total}.", "Do not open it.", "zip-bomb"
        )


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _IS_ENCRYPTED:
        raise refusal(path, f"the member '{info.filename}' is encrypted.", "Unpack it and save the model again.")
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refusal(path, f"the member '{info.filename}' is a link or a device.", kind="unsafe-path")
    if info.file_size > _SMALL_BYTES and info.file_size > MOST_RATIO * max(1, info.compress_size):
        raise refusal(
            path,
            f"a zip bomb: '{info.filename}' has {info.compress_size} bytes that unpack to {info.file_size}.",
            "Do not open it.",
            "zip-bomb",
        )


def refuse_unsafe_name(path: Path, name: str) -> None:
    """Refuse a name inside ``path`` that leads out of the folder that it is relative to.

    Raises:
        IsoformError: absolute, with ``..``, a drive, a backslash or a NUL.
    """
    parts = PurePosixPath(name).parts
    if not name or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or name[1:2] == ":":
        raise refusal(path, f"the name '{name}' in it leads out of its folder.", "Do not open it.", "unsafe-path")


def _check_headers(path: Path, archive: zipfile.ZipFile) -> None:
    """Compare the directory with the header in front of each member, and refuse bytes before, between and behind."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    size, end = path.stat().st_size, 0
    with path.open("rb") as file:
        if infos and infos[0].header_offset != 0:
            # A cut archive may end with a whole one that was a member of it.
            what = (
                "truncated, or two zip archives in one file."
                if file.read(4) == b"PK\x03\x04"
                else ("other bytes stand before the zip archive.")
            )
            raise refusal(path, what, kind="ambiguous-container")
        for info in infos:
            if info.header_offset < end:
                raise refusal(path, f"the member '{info.filename}' overlaps another one.", kind="ambiguous-container")
            file.seek(info.header_offset)
            end = info.header_offset + _check_header(path, info, file.read(_LOCAL_HEADER.size), file)
            if end > size:
                raise refusal(path, f"truncated: the member '{info.filename}' ends behind the file.")
        file.seek(max(0, size - _END_BYTES - len(archive.comment)))
        if file.read(4) != b"PK\x05\x06":
            raise refusal(path, "other bytes stand behind the zip archive.", kind="ambiguous-container")


def _check_header(path: Path, info: zipfile.ZipInfo, header: bytes, file: IO[bytes]) -> int:
    """Return how many bytes header and data of the member take."""
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise refusal(path, f"truncated or damaged: no header before the member '{info.filename}'.")
    _, _, flags, method, _, _, crc, packed, unpacked, name_size, extra_size = _LOCAL_HEADER.unpack(header)
    name = file.read(name_size)
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    differs = name != info.orig_filename.encode(encoding, "surrogateescape") or method != info.compress_type
    if not flags & _HAS_DESCRIPTOR:
        is_wide = 0xFFFFFFFF in (packed, unpacked)  # the true sizes stand in the zip64 field
        differs |= crc != info.CRC or (not is_wide and (packed, unpacked) != (info.compress_size, info.file_size))
    if differs:
        raise refusal(path, f"the two headers of the member '{info.filename}' disagree.", kind="ambiguous-container")
    return _LOCAL_HEADER.size + int(name_size) + int(extra_size) + info.compress_size
