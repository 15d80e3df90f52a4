"""An ExecuTorch program, read with NumPy alone: its inputs and outputs, operators, and the weights in it.

Field numbers: executorch/schema/program.fbs, and backends/xnnpack/serialization/schema.fbs for what is handed to
XNNPACK, which keeps the weights of its layers in a table of its own. Weights are views of the file. Not aware of what
operators do; what another delegate keeps is not read.
"""

import math
import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.errors import IsoformError
from isoform.intake.flatbuffer import Table

Array = npt.NDArray[Any]
XNNPACK = "XnnpackBackend"
_IDENTIFIER, _EXTENDED, _XNNPACK_HEADER = b"ET12", b"eh00", b"XH00"
_PLANS, _INLINE, _SEGMENTS, _CONSTANTS, _NAMED = 1, 3, 4, 5, 7
_VALUES, _INPUTS, _OUTPUTS, _CHAINS, _OPERATORS, _DELEGATES = 2, 3, 4, 5, 6, 7
_TENSOR, _KERNEL_CALL = 5, 1
"""Of the unions of values and of instructions."""
_DTYPE, _SIZES, _ORDER, _BUFFER, _DYNAMISM, _EXTRA = 0, 2, 3, 5, 8, 9
_XNNPACK_VALUES, _XNNPACK_CONSTANTS, _XNNPACK_QUANTIZED = 2, 8, 2
_DTYPES = {0: "u1", 1: "i1", 2: "<i2", 3: "<i4", 4: "<i8", 5: "<f2", 6: "<f4", 7: "<f8", 11: "?"}
_XNNPACK_DTYPES = {1: "<f4", 2: "<f2", 3: "i1", 4: "u1", 5: "<i4", 6: "i1", 7: "<i4", 12: "<i4"}
_NO_OFFSET = 2**64 - 1


@dataclass(frozen=True)
class Port:
    """One input or output: the sizes are the largest that memory is planned for, where it is dynamic."""

    dtype: str
    sizes: tuple[int, ...]
    is_dynamic: bool


class Program:
    """A program that is mapped, not loaded.

    Args:
        is_writable: weights can be changed, in memory alone: the file stays as it is.

    Raises:
        IsoformError: the file is not a whole ExecuTorch program; so does every reader.
    """

    def __init__(self, path: Path, *, is_writable: bool = False) -> None:
        self._path = path
        with path.open("rb") as file:
            try:
                access = mmap.ACCESS_COPY if is_writable else mmap.ACCESS_READ
                self.data = mmap.mmap(file.fileno(), 0, access=access)
                if self.data[4:8] != _IDENTIFIER:
                    raise ValueError("it does not bear the mark ET12")
                self._root = Table.root(self.data)
                self._plan = next(self._root.tables(_PLANS), None)
                self._base = _number(self.data, "<Q", 24) if self.data[8:12] == _EXTENDED else 0
            except ValueError as error:
                raise self._damaged(error) from error

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Return inputs and outputs, in order; what is no tensor is left out."""
        try:
            values = list(self._values())
            inputs, outputs = (self._required().numbers(field, "<i4") for field in (_INPUTS, _OUTPUTS))
            return tuple(_ports(values, inputs)), tuple(_ports(values, outputs))
        except (ValueError, IndexError) as error:
            raise self._damaged(error) from error

    def operators(self) -> dict[str, int]:
        """Return how often each kernel is called, by name and overload, and how many pieces each delegate has."""
        try:
            plan = self._required()
            names = [_operator(table) for table in plan.tables(_OPERATORS)]
            calls = Counter(names[index] for index in _called(plan))
            calls.update(delegate.text(0) for delegate in plan.tables(_DELEGATES))
            return dict(sorted(calls.items()))
        except (ValueError, IndexError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def weights(self) -> dict[str, Array]:
        """Return the constants by name, those that kernels read and those that XNNPACK does."""
        try:
            return {**dict(self._constants()), **dict(self._delegated())}
        except (ValueError, IndexError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def _required(self) -> Table:
        if self._plan is None:
            raise ValueError("there is no method in it")
        return self._plan

    def _values(self) -> Iterator[Table | None]:
        for value in self._required().tables(_VALUES):
            yield value.table(1) if value.number(0, "B", 0) == _TENSOR else None

    def _constants(self) -> Iterator[tuple[str, Array]]:
        held = self._root.table(_CONSTANTS)
        offsets = held.numbers(1, "<u8") if held is not None else ()
        segment = self._segment(held.number(0, "<I", 0)) if held is not None and len(offsets) else memoryview(b"")
        for tensor in self._values():
            place = tensor.number(_BUFFER, "<I", 0) if tensor is not None else 0
            if tensor is None or not place or tensor.table(6) is not None:  # 6: memory that is planned for it
                continue
            extra, dtype = tensor.table(_EXTRA), _DTYPES.get(tensor.number(_DTYPE, "b", 0))
            if dtype is not None:
                name = (extra.text(1) if extra is not None else "") or f"constant_{place}"
                yield name, _array(segment[int(offsets[place]) :], dtype, tensor)

    def _delegated(self) -> Iterator[tuple[str, Array]]:
        named = {entry.text(0): entry.number(1, "<I", 0) for entry in self._root.tables(_NAMED)}
        for index, delegate in enumerate(self._required().tables(_DELEGATES)):
            if delegate.text(0) == XNNPACK:
                for place, array in self._of_xnnpack(self._processed(delegate), named):
                    yield f"xnnpack_{index}/{place}", array

    def _of_xnnpack(self, blob: memoryview, named: dict[str, int]) -> Iterator[tuple[int, Array]]:
        begin = base = 0
        if blob[4:8] == _XNNPACK_HEADER:
            begin, base = _number(blob, "<I", 10), _number(blob, "<I", 18)
        graph = Table.root(bytes(blob[begin:]))
        places = list(graph.tables(_XNNPACK_CONSTANTS))
        for union in graph.tables(_XNNPACK_VALUES):
            value = union.table(1)
            if value is not None and union.number(0, "B", 0) == _XNNPACK_QUANTIZED:
                value = value.table(0)
            place = value.number(3, "<I", 0) if value is not None else 0
            dtype = _XNNPACK_DTYPES.get(value.number(0, "<h", 0)) if value is not None else None
            if value is None or not place or dtype is None:
                continue
            offset, key = places[place].number(0, "<Q", _NO_OFFSET), places[place].text(2)
            raw = self._segment(named[key]) if key in named else blob[base + offset :]
            yield place, _shaped(raw, dtype, tuple(map(int, value.numbers(2, "<u4"))))

    def _processed(self, delegate: Table) -> memoryview:
        reference = delegate.table(1)
        if reference is None:
            raise ValueError("a delegate has no program")
        index = reference.number(1, "<I", 0)
        if reference.number(0, "b", 0):
            return self._segment(index)
        return list(self._root.tables(_INLINE))[index].numbers(0, "u1").data

    def _segment(self, index: int) -> memoryview:
        segment = list(self._root.tables(_SEGMENTS))[index]
        begin, size_bytes = self._base + segment.number(0, "<Q", 0), segment.number(1, "<Q", 0)
        if begin + size_bytes > len(self.data):
            raise ValueError(f"{size_bytes} bytes at byte {begin}")
        return memoryview(self.data)[begin : begin + size_bytes]

    def _damaged(self, error: Exception) -> IsoformError:
        return IsoformError(
            f"{self._path}: not a whole ExecuTorch program ({error}).", "Export it again.", kind="damaged"
        )


def described(path: Path) -> dict[str, Any]:
    """Return how many numbers of which precision the constants hold, and how often each operator is called."""
    program = Program(path)
    precision: Counter[str] = Counter()
    for array in program.weights().values():
        precision[array.dtype.name] += array.size
    return {
        "operators": program.operators(),
        "parameters": sum(precision.values()),
        "precision": dict(precision.most_common()),
    }


def _ports(values: list[Table | None], places: Array) -> Iterator[Port]:
    for place in map(int, places):
        tensor = values[place]
        if tensor is not None:
            sizes = tuple(map(int, tensor.numbers(_SIZES, "<i4")))
            dtype = np.dtype(_DTYPES.get(tensor.number(_DTYPE, "b", 0), "V1")).name
            yield Port(dtype, sizes, bool(tensor.number(_DYNAMISM, "b", 0)))


def _operator(table: Table) -> str:
    return ".".join(part for part in (table.text(0), table.text(1)) if part)


def _called(plan: Table) -> Iterator[int]:
    for chain in plan.tables(_CHAINS):
        for instruction in chain.tables(2):
            call = instruction.table(1) if instruction.number(0, "B", 0) == _KERNEL_CALL else None
            if call is not None:
                yield call.number(0, "<i", 0)


def _array(raw: memoryview, dtype: str, tensor: Table) -> Array:
    """Return a constant with its axes in order; ``dim_order`` says how they lie in memory, outermost first."""
    sizes = tuple(map(int, tensor.numbers(_SIZES, "<i4")))
    order = tuple(map(int, tensor.numbers(_ORDER, "u1"))) or tuple(range(len(sizes)))
    if sorted(order) != list(range(len(sizes))):
        raise ValueError(f"axes in the order {list(order)}")
    return _shaped(raw, dtype, tuple(sizes[axis] for axis in order)).transpose(np.argsort(order))


def _shaped(raw: memoryview, dtype: str, shape: tuple[int, ...]) -> Array:
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * np.dtype(dtype).itemsize > len(raw):
        raise ValueError(f"a constant of shape {list(shape)} in {len(raw)} bytes")
    return np.frombuffer(raw, dtype, count).reshape(shape)


def _number(data: memoryview | mmap.mmap, form: str, place: int) -> int:
    try:
        return int(struct.unpack_from(form, data, place)[0])
    except struct.error as error:
        raise ValueError(str(error)) from error
