"""FlatBuffers tables field by field, with NumPy alone: enough to read a file without the code of its schema.

Layout: https://flatbuffers.dev/internals/. Every place is checked against the end of the data.
Not aware of any schema: a caller knows the numbers of fields.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Buffer = bytes | mmap.mmap
_Number = TypeVar("_Number", int, float)


class Table:
    """A table of ``data`` that begins at ``place``.

    Every reader raises ValueError where what it is asked for does not lie in the data.
    """

    def __init__(self, data: Buffer, place: int) -> None:
        self._data, self._place = data, place
        self._vtable = place - _at(data, "<i", place)
        self._length = _at(data, "<H", self._vtable)

    @classmethod
    def root(cls, data: Buffer) -> "Table":
        """Return the table that the whole buffer is about."""
        return cls(data, _at(data, "<I", 0))

    def number(self, field: int, form: str, otherwise: _Number) -> _Number:
        """Return a scalar, read as `struct` reads ``form``; ``otherwise`` where the table leaves it out."""
        place = self._field(field)
        return otherwise if place is None else _at(self._data, form, place)

    def table(self, field: int) -> "Table | None":
        """Return an inner table; None where it is left out."""
        place = self._field(field)
        return None if place is None else Table(self._data, self._target(place))

    def text(self, field: int) -> str:
        """Return a string; "" where it is left out."""
        place = self._field(field)
        return "" if place is None else self._text(self._target(place))

    def numbers(self, field: int, dtype: str) -> Array:
        """Return a vector of scalars, a view of the data; empty where it is left out."""
        begin, count = self._vector(field)
        return np.frombuffer(self._data, dtype, count, begin) if count else np.zeros(0, dtype)

    def tables(self, field: int) -> Iterator["Table"]:
        """Yield the tables of a vector."""
        return (Table(self._data, self._target(place)) for place in self._entries(field))

    def texts(self, field: int) -> list[str]:
        """Return the strings of a vector."""
        return [self._text(self._target(place)) for place in self._entries(field)]

    def _field(self, field: int) -> int | None:
        slot = 4 + 2 * field  # behind the lengths of the vtable and of the table
        offset = _at(self._data, "<H", self._vtable + slot) if slot < self._length else 0
        return self._place + offset if offset else None

    def _target(self, place: int) -> int:
        return place + int(_at(self._data, "<I", place))

    def _vector(self, field: int) -> tuple[int, int]:
        """Return where the first entry of a vector stands, and how many there are."""
        place = self._field(field)
        if place is None:
            return 0, 0
        begin = self._target(place)
        return begin + 4, _at(self._data, "<I", begin)

    def _entries(self, field: int) -> range:
        begin, count = self._vector(field)
        if begin + 4 * count > len(self._data):
            raise ValueError(f"a vector of {count} entries at byte {begin}")
        return range(begin, begin + 4 * count, 4)

    def _text(self, place: int) -> str:
        length = _at(self._data, "<I", place)
        if place + 4 + length > len(self._data):
            raise ValueError(f"a text of {length} bytes at byte {place}")
        return self._data[place + 4 : place + 4 + length].decode()


def _at(data: Buffer, form: str, place: int) -> Any:
    if not 0 <= place <= len(data) - struct.calcsize(form):
        raise ValueError(f"byte {place} is not in it")
    return struct.unpack_from(form, data, place)[0]
