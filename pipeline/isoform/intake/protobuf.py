"""Protobuf messages field by field: enough to tell an ONNX file, and to look through a graph that nothing has loaded.

Wire format: https://protobuf.dev/programming-guides/encoding/. Field numbers: onnx.proto, message ModelProto.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from isoform.intake.zip_archive import refusal

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_GRAPH = 7
_OPSET_IMPORT = 8
_KNOWN = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""The wire type of each field of ModelProto."""
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field of a message: its content stands from ``begin`` to ``end``, which may lie behind what is there."""

    number: int
    wire: int
    begin: int
    end: int


def fields(data: bytes | mmap.mmap, begin: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message from ``begin`` to ``end``.

    Raises:
        ValueError: the bytes are no message.
    """
    while begin < end:
        key, place = varint(data, begin, end)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            stop = varint(data, place, end)[1]
        elif wire == BYTES:
            length, place = varint(data, place, end)
            stop = place + length
        elif wire in _WIDTHS:
            stop = place + _WIDTHS[wire]
        else:
            raise ValueError(f"wire type {wire} at byte {begin}")
        yield Field(number, wire, place, stop)
        begin = stop


def varint(data: bytes | mmap.mmap, place: int, end: int) -> tuple[int, int]:
    """Return the number at ``place`` and where the next thing begins."""
    value = shift = 0
    while place < end and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError(f"no number at byte {place}")


def is_onnx(path: Path) -> bool:
    """Return whether ``path`` is an ONNX model, judged by its outermost fields.

    Raises:
        IsoformError: it begins as one and is cut off.
    """
    size, seen = path.stat().st_size, set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for field in fields(data, 0, size):
                if _KNOWN.get(field.number) != field.wire:
                    return False
                seen.add(field.number)
                if field.end > size:
                    if _GRAPH in seen and (1 in seen or _OPSET_IMPORT in seen):
                        raise refusal(
                            path, f"truncated: the ONNX model should have {field.end} bytes, the file has {size}."
                        )
                    return False
        except ValueError:
            return False
    return _GRAPH in seen
