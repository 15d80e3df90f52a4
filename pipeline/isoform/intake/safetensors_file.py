"""Safetensors files: the header, read and checked with the standard library alone.

The layout (https://github.com/huggingface/safetensors#format): 8 bytes with the length of a JSON object, that object,
then the tensors' bytes, which the object's offsets cover without a hole.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.intake.zip_archive import refusal

MOST_HEADER_BYTES = 100_000_000
"""The limit of the format's own reader."""
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """What the header says of one tensor; offsets in bytes from the beginning of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def is_header(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is meant as safetensors: a length, then an object in JSON."""
    return head[8:9] == b"{" and head[9:10] in (b'"', b"}", b" ", b"\n")


def read_header(path: Path) -> list[StoredTensor]:
    """Return the tensors of ``path`` in the order of their bytes.

    Raises:
        IsoformError: truncated, or a header that no writer of the format makes; the tensor is named.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise refusal(path, f"truncated: the header should have {length} bytes, the file has {size}.")
        if length > MOST_HEADER_BYTES:
            raise refusal(path, f"the header has {length} bytes, more than {MOST_HEADER_BYTES}.", kind="zip-bomb")
        text = file.read(length)
    tensors = [_tensor(path, name, row) for name, row in _rows(path, text).items() if name != "__metadata__"]
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    _check_cover(path, tensors, size - 8 - length)
    return tensors


def _rows(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            name = next(name for name in names if names.count(name) > 1)
            raise refusal(path, f"the name '{name}' stands twice in the header.", kind="ambiguous-container")
        return found

    try:
        rows = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"the header is not JSON ({str(error)[:100]}).") from error
    if not isinstance(rows, dict):
        raise refusal(path, "the header is not a JSON object.")
    return rows


def _tensor(path: Path, name: str, row: Any) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = row["dtype"], tuple(row["shape"]), row["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise refusal(path, f"the tensor '{name}' has no dtype, shape or two offsets.") from error
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise refusal(path, f"the tensor '{name}' has the unknown dtype {str(dtype)[:40]!r}.")
    if not all(type(number) is int and 0 <= number < 1 << 62 for number in (*shape, begin, end)) or len(shape) > 64:
        raise refusal(path, f"the tensor '{name}' has an impossible shape or offset.")
    wanted, odd_bits = divmod(math.prod(shape) * _BITS[dtype], 8)
    if odd_bits or end - begin != wanted:
        raise refusal(path, f"the tensor '{name}', {dtype} {list(shape)}, wants {wanted} bytes and has {end - begin}.")
    return StoredTensor(name, dtype, shape, begin, end)


def _check_cover(path: Path, tensors: list[StoredTensor], data_bytes: int) -> None:
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            word = "overlaps the one before" if tensor.begin < position else "leaves a hole before it"
            raise refusal(path, f"the tensor '{tensor.name}' {word} (byte {tensor.begin}, expected {position}).")
        position = tensor.end
    if position > data_bytes:
        raise refusal(path, f"truncated: the tensors take {position} bytes, the file has {data_bytes}.")
    if position < data_bytes:
        raise refusal(path, f"{data_bytes - position} bytes stand behind the last tensor.", kind="ambiguous-container")
