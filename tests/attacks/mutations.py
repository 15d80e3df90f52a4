"""Files changed at random, the same way each time: bits, bytes, blocks, cuts and insertions."""

import io
import random
import zipfile
from collections.abc import Iterator


def mutations(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield ``count`` changed copies of ``data``."""
    draw = random.Random(seed)
    for number in range(count):
        yield _CHANGES[(seed + number) % len(_CHANGES)](bytearray(data), draw)


def inside(archive: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield ``count`` copies of a zip archive, one member changed in each and stored with its right checksum."""
    draw = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    filled = [name for name, data in members.items() if data]
    for number in range(count):
        name = filled[number % len(filled)]
        (data,) = mutations(members[name], 1, draw.randrange(1 << 30))
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as file:
            for member, content in {**members, name: data}.items():
                file.writestr(member, content)
        yield changed.getvalue()


def _flip(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 1, 4, 32))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _overwrite(data: bytearray, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    data[place : place + 8] = draw.choice((b"\xff" * 8, bytes(8), draw.randbytes(8)))
    return bytes(data)


def _head(data: bytearray, draw: random.Random) -> bytes:
    data[draw.randrange(min(64, len(data)))] = draw.randrange(256)
    return bytes(data)


def _cut(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))])


def _insert(data: bytearray, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return bytes(data[:place]) + draw.randbytes(draw.choice((1, 4, 100))) + bytes(data[place:])


def _repeat(data: bytearray, draw: random.Random) -> bytes:
    begin, end = sorted((draw.randrange(len(data)), draw.randrange(len(data))))
    return bytes(data[:end]) + bytes(data[begin:])


_CHANGES = (_flip, _overwrite, _head, _cut, _insert, _repeat)
