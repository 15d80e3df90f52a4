"""FlatBuffers read field by field, against the flatbuffers package and bytes written by hand."""

import struct

import flatbuffers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.intake.flatbuffer import Table


def built() -> bytes:
    """Return a table of a number, a text, a vector of numbers, one of texts, an inner table, and one left out."""
    builder = flatbuffers.Builder()
    word, inside = builder.CreateString("hidden"), builder.CreateString("größer")
    numbers = builder.CreateNumpyVector(np.array([3, -4, 5], np.int64))
    builder.StartVector(4, 2, 4)
    builder.PrependUOffsetTRelative(inside)
    builder.PrependUOffsetTRelative(word)
    words = builder.EndVector()
    builder.StartObject(1)
    builder.PrependFloat32Slot(0, 0.5, 0.0)
    inner = builder.EndObject()
    builder.StartObject(7)
    builder.PrependInt32Slot(0, -7, 0)
    builder.PrependUOffsetTRelativeSlot(1, word, 0)
    builder.PrependUOffsetTRelativeSlot(2, numbers, 0)
    builder.PrependUOffsetTRelativeSlot(3, words, 0)
    builder.PrependUOffsetTRelativeSlot(4, inner, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def test_every_kind_of_field_comes_back() -> None:
    table = Table.root(built())
    assert table.number(0, "<i", 0) == -7
    assert table.text(1) == "hidden"
    assert table.numbers(2, "<i8").tolist() == [3, -4, 5]
    assert table.texts(3) == ["hidden", "größer"]
    inner = table.table(4)
    assert inner is not None
    assert inner.number(0, "<f", 0.0) == 0.5


def test_what_is_left_out_or_unknown_to_an_older_writer_has_its_default() -> None:
    table = Table.root(built())
    for field in (5, 6, 40):
        assert table.number(field, "<q", -1) == -1
        assert table.text(field) == ""
        assert table.table(field) is None
        assert table.numbers(field, "<f4").size == 0
        assert list(table.tables(field)) == []


def test_a_table_written_by_hand_is_read() -> None:
    vtable = struct.pack("<3H", 6, 8, 4)  # its length, that of the table, the place of field 0
    assert Table.root(struct.pack("<I", 10) + vtable + struct.pack("<iI", 6, 99)).number(0, "<I", 0) == 99


@pytest.mark.parametrize("place", [-1, 11, 1 << 20])
def test_a_vtable_that_is_not_in_the_data_is_refused(place: int) -> None:
    data = struct.pack("<IiI", 4, 4 - place, 0)
    with pytest.raises(ValueError, match=r"byte -?\d+ is not in it"):
        Table.root(data).number(0, "<I", 0)


@given(st.integers(0, len(built()) - 1), st.integers(0, 255))
def test_any_changed_byte_gives_a_value_or_a_value_error(place: int, byte: int) -> None:
    data = bytearray(built())
    data[place] = byte
    try:
        table = Table.root(bytes(data))
        table.number(0, "<i", 0), table.text(1), table.numbers(2, "<i8"), table.texts(3), table.table(4)
    except ValueError:  # UnicodeDecodeError is one
        pass
