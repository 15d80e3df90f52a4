"""ExecuTorch programs read with NumPy alone, against a file that is put together by hand from the schema."""

import struct
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.errors import IsoformError
from isoform.intake import pte_file
from isoform.intake.container import identify
from isoform.intake.pte_file import Port, Program

RNG = np.random.default_rng(3)
KERNEL = RNG.normal(size=(2, 3)).astype(np.float32)
SHARED = np.arange(4, dtype=np.int64)
OF_XNNPACK = RNG.normal(size=(2, 2, 1, 3)).astype(np.float32)
NAMED = RNG.normal(size=5).astype(np.float32)
ALIGNED = 64


class Tables:
    """What flatc writes for a schema: tables whose fields are told by their numbers."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(0)

    def table(self, **fields: tuple[str, Any]) -> int:
        """Write a table; ``f3=("Uint32", 7)`` is field 3, "Uoffset" one that was written before."""
        self.builder.StartObject(12)
        for name, (kind, value) in fields.items():
            if kind == "Uoffset":
                self.builder.PrependUOffsetTRelativeSlot(int(name[1:]), value, 0)
            else:
                getattr(self.builder, f"Prepend{kind}")(value)
                self.builder.Slot(int(name[1:]))
        return self.builder.EndObject()

    def vector(self, kind: str, values: list[int], size: int = 4) -> tuple[str, int]:
        self.builder.StartVector(size, len(values), size)
        for value in reversed(values):
            getattr(self.builder, f"Prepend{kind}")(value)
        return "Uoffset", self.builder.EndVector()

    def tables(self, places: list[int]) -> tuple[str, int]:
        return self.vector("UOffsetTRelative", places)

    def text(self, words: str) -> tuple[str, int]:
        return "Uoffset", self.builder.CreateString(words)

    def finished(self, root: int, mark: bytes) -> bytes:
        self.builder.Finish(root, file_identifier=mark)
        return bytes(self.builder.Output())


def xnnpack() -> bytes:
    """Return a delegate's program: a constant that lies behind its tables, and one that it names."""
    made = Tables()

    def value(array: np.ndarray, place: int, is_quantized: bool) -> int:
        dims = made.vector("Uint32", list(array.shape))
        plain = made.table(f0=("Int16", 1), f2=dims, f3=("Uint32", place))
        if is_quantized:
            plain = made.table(f0=("Uoffset", plain))
        return made.table(f0=("Uint8", 2 if is_quantized else 1), f1=("Uoffset", plain))

    values = made.tables([value(OF_XNNPACK, 1, False), value(NAMED, 2, True)])
    key = made.text("digest")
    none = made.table(f1=("Uint64", 0))
    behind = made.table(f0=("Uint64", 0), f1=("Uint64", OF_XNNPACK.nbytes))
    named = made.table(f0=("Uint64", 2**64 - 1), f1=("Uint64", NAMED.nbytes), f2=key)
    constants = made.tables([none, behind, named])
    graph = made.finished(made.table(f2=values, f8=constants), b"XN01")
    begin = 32
    base = begin + len(graph)
    head = struct.pack("<4s4sHIIIQ", bytes(4), b"XH00", 30, begin, len(graph), base, OF_XNNPACK.nbytes)
    return head.ljust(begin, b"\0") + graph + OF_XNNPACK.tobytes()


def pte() -> bytes:
    """Return a program of one input, a kernel that adds, and a delegate; its constants in segments."""
    made = Tables()

    def tensor(shape: list[int], dtype: int = 6, place: int = 0, order: list[int] | None = None, **fields: Any) -> int:
        sizes = made.vector("Int32", shape)
        axes = made.vector("Uint8", order or list(range(len(shape))), 1)
        inner = made.table(f0=("Int8", dtype), f2=sizes, f3=axes, f5=("Uint32", place), **fields)
        return made.table(f0=("Uint8", 5), f1=("Uoffset", inner))

    extra = made.table(f1=made.text("layer.weight"))
    number = made.table(f0=("Uint8", 2), f1=("Uoffset", made.table(f0=("Int64", 5))))
    planned = made.table(f0=("Uint32", 1))
    values = made.tables([
        tensor([4, 3], f8=("Int8", 1)), number, tensor([2, 3], place=1, order=[1, 0], f9=("Uoffset", extra)),
        tensor([4], dtype=4, place=2), tensor([4, 2], f6=("Uoffset", planned)),
    ])  # fmt: skip
    call = made.table(f0=("Int32", 0), f1=made.vector("Int32", [0, 2, 4]))
    instruction = made.table(f0=("Uint8", 1), f1=("Uoffset", call))
    chains = made.tables([made.table(f2=made.tables([instruction, instruction]))])
    operators = made.tables([made.table(f0=made.text("aten::add"), f1=made.text("out"))])
    reference = made.table(f0=("Int8", 1), f1=("Uint32", 1))
    delegates = made.tables([made.table(f0=made.text("XnnpackBackend"), f1=("Uoffset", reference))])
    plan = made.table(
        f0=made.text("forward"), f2=values, f3=made.vector("Int32", [0]), f4=made.vector("Int32", [4]), f5=chains,
        f6=operators, f7=delegates,
    )  # fmt: skip
    first = KERNEL.T.tobytes().ljust(ALIGNED, b"\0")
    parts = [first + SHARED.tobytes(), xnnpack(), NAMED.tobytes()]
    begins = [0, 256, 1024]
    segments = made.tables([
        made.table(f0=("Uint64", begin), f1=("Uint64", len(part))) for begin, part in zip(begins, parts, strict=True)
    ])  # fmt: skip
    constants = made.table(f0=("Uint32", 0), f1=made.vector("Uint64", [0, 0, ALIGNED], 8))
    named = made.tables([made.table(f0=made.text("digest"), f1=("Uint32", 2))])
    root = made.table(f0=("Uint32", 0), f1=made.tables([plan]), f4=segments, f5=("Uoffset", constants), f7=named)
    tables = made.finished(root, b"ET12")
    room = 32
    base = (len(tables) + room + ALIGNED - 1) // ALIGNED * ALIGNED
    head = struct.pack("<I4s4sIQQ", struct.unpack_from("<I", tables)[0] + room, b"ET12", b"eh00", 32, base, base)
    data = (head.ljust(8 + room, b"\0") + tables[8:]).ljust(base, b"\0")
    for begin, part in zip(begins, parts, strict=True):
        data = data.ljust(base + begin, b"\0") + part
    return data


WHOLE = pte()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "program").write_bytes(WHOLE)
    return tmp_path / "program"


def test_it_is_told_by_its_bytes(path: Path) -> None:
    assert (identify(path).format, identify(path).note) == ("executorch", None)


def test_weights_of_kernels_and_of_xnnpack_come_back_bit_for_bit_with_their_axes_in_order(path: Path) -> None:
    found = Program(path).weights()
    expected = {
        "layer.weight": KERNEL, "constant_2": SHARED, "xnnpack_0/1": OF_XNNPACK, "xnnpack_0/2": NAMED,
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_inputs_and_outputs_tell_the_largest_sizes_and_what_is_dynamic(path: Path) -> None:
    assert Program(path).ports() == ((Port("float32", (4, 3), True),), (Port("float32", (4, 2), False),))


def test_kernels_are_counted_by_call_and_delegates_by_piece(path: Path) -> None:
    assert pte_file.described(path) == {
        "operators": {"XnnpackBackend": 1, "aten::add.out": 2},
        "parameters": 6 + 4 + 12 + 5,
        "precision": {"float32": 23, "int64": 4},
    }


def test_a_writable_copy_is_changed_in_memory_alone(path: Path) -> None:
    program = Program(path, is_writable=True)
    program.weights()["xnnpack_0/1"][1, 0, 0, 2] = 7
    assert path.read_bytes() == WHOLE
    path.with_name("changed").write_bytes(program.data)
    found = Program(path.with_name("changed")).weights()
    assert [name for name, array in Program(path).weights().items() if not np.array_equal(array, found[name])] == [
        "xnnpack_0/1"
    ]
    assert found["xnnpack_0/1"][1, 0, 0, 2] == 7


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    (tmp_path / "cut.pte").write_bytes(WHOLE[: int(len(WHOLE) * share)])
    with pytest.raises(IsoformError) as caught:
        Program(tmp_path / "cut.pte").weights()
    assert caught.value.kind == "damaged"
    assert caught.value.what.startswith(f"{tmp_path / 'cut.pte'}: not a whole ExecuTorch program (")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_byte_gives_weights_or_one_error(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    whole = bytearray(WHOLE)
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    changed = tmp_path_factory.getbasetemp() / "changed.pte"
    changed.write_bytes(whole)
    try:
        program = Program(changed)
        program.weights()
        program.ports()
        program.operators()
    except IsoformError as error:
        assert error.kind == "damaged"  # noqa: PT017
