"""The outermost fields of a protobuf message: enough to tell an ONNX file, and whether it ends where it says.

Wire format: https://protobuf.dev/programming-guides/encoding/. Field numbers: onnx.proto, message ModelProto.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from isoform.intake.zip_archive import refusal

_GRAPH = 7
_OPSET_IMPORT = 8
_KNOWN = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""The wire type of each field of ModelProto."""
_VARINT, _BYTES = 0, 2


def is_onnx(path: Path) -> bool:
    """Return whether ``path`` is an ONNX model, judged by its outermost fields.

    Raises:
        IsoformError: it begins as one and is cut off.
    """
    size, seen = path.stat().st_size, set()
    with path.open("rb") as file:
        for field, wire, end in _fields(file, size):
            if field is None or _KNOWN.get(field) != wire:
                return False
            seen.add(field)
            if end > size:
                if _GRAPH in seen and (1 in seen or _OPSET_IMPORT in seen):
                    raise refusal(path, f"truncated: the ONNX model should have {end} bytes, the file has {size}.")
                return False
    return _GRAPH in seen


def _fields(file: IO[bytes], size: int) -> Iterator[tuple[int | None, int, int]]:
    """Yield number, wire type and last position of each field; number None where there is no such thing."""
    while file.tell() < size:
        key = _varint(file)
        if key is None:
            yield None, 0, 0
            return
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value = _varint(file)
            yield (field if value is not None else None), wire, file.tell()
        elif wire == _BYTES:
            length = _varint(file)
            if length is None:
                yield None, wire, 0
                return
            end = file.tell() + length
            yield field, wire, end
            file.seek(end)
        else:
            yield None, wire, 0
            return


def _varint(file: IO[bytes]) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
