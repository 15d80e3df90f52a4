"""The weights of an ONNX file, read with NumPy alone: a machine that has ONNX Runtime need not have the package onnx.

Field numbers are those of onnx.proto: GraphProto, NodeProto, AttributeProto, TensorProto. Types that NumPy has not, and
text, are left out. Not aware of what operators do.
"""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.errors import IsoformError
from isoform.intake import external_data
from isoform.intake.protobuf import BYTES, VARINT, Field, fields, varint

Array = npt.NDArray[Any]
DTYPES: dict[int, str] = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4",
    13: "<u8",
}  # fmt: skip
_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPHS = 1, 5, (6, 11)
_DIMS, _DATA_TYPE, _NAME, _RAW, _EXTERNAL = 1, 2, 8, 9, 13
_TYPED = {4: "<f4", 10: "<f8"}
_NUMBERS = (5, 7, 11)
"""Fields of a tensor that hold its numbers one by one: floats and doubles packed, all others as varints."""
_SIGN = 1 << 63


def weights(path: Path) -> dict[str, Array]:
    """Return the initialisers of the graph, and the constants of it and its inner graphs, by name.

    Those beside the file are memory-mapped.

    Raises:
        IsoformError: the file is not a whole ONNX model, or a data file is missing, too short or not its own.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        found: dict[str, Array] = {}
        for name, array in _of_model(data, path):
            if name in found:
                raise ValueError(f"two tensors are called '{name}'")
            found[name] = array
        return found
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise IsoformError(f"{path}: not a whole ONNX model ({error}).", "Export it again.", kind="damaged") from error


def _of_model(data: mmap.mmap, path: Path) -> Iterator[tuple[str, Array]]:
    for graph in _inner(data, Field(0, BYTES, 0, len(data)), _MODEL_GRAPH):
        for initializer in _inner(data, graph, _GRAPH_INITIALIZER):
            yield from _tensor(data, initializer, path)
        yield from _constants(data, graph, path)


def _constants(data: mmap.mmap, graph: Field, path: Path) -> Iterator[tuple[str, Array]]:
    for node in _inner(data, graph, _GRAPH_NODE):
        is_constant = any(data[each.begin : each.end] == b"Constant" for each in _inner(data, node, _NODE_TYPE))
        outputs = [data[each.begin : each.end].decode() for each in _inner(data, node, _NODE_OUTPUT)]
        for attribute in _inner(data, node, _NODE_ATTRIBUTE):
            names = [data[each.begin : each.end] for each in _inner(data, attribute, _ATTRIBUTE_NAME)]
            if is_constant and names == [b"value"]:
                for tensor in _inner(data, attribute, _ATTRIBUTE_TENSOR):
                    yield from ((outputs[0], array) for _, array in _tensor(data, tensor, path))
            for inner in (each for number in _ATTRIBUTE_GRAPHS for each in _inner(data, attribute, number)):
                yield from _constants(data, inner, path)


def _tensor(data: mmap.mmap, message: Field, path: Path) -> Iterator[tuple[str, Array]]:
    """Yield the tensor under its name, if it is of a type that NumPy has."""
    found = list(_whole(data, message))
    shape = tuple(number for field in found if field.number == _DIMS for number in _numbers(data, field))
    kind = next((varint(data, field.begin, field.end)[0] for field in found if field.number == _DATA_TYPE), 0)
    name = next((data[field.begin : field.end].decode() for field in found if field.number == _NAME), "")
    if kind not in DTYPES:
        return
    dtype = np.dtype(DTYPES[kind])
    beside = dict(_entry(data, field) for field in found if field.number == _EXTERNAL)
    if beside:
        yield name, _mapped(path, name, beside, dtype, shape)
        return
    raw = next((field for field in found if field.number == _RAW), None)
    if raw is not None:
        yield name, np.frombuffer(data, dtype, math.prod(shape), raw.begin).reshape(shape)
        return
    yield name, _listed(data, found, dtype).reshape(shape)


def _listed(data: mmap.mmap, found: list[Field], dtype: np.dtype[Any]) -> Array:
    """Return numbers that stand one by one in fields of their own; half floats are their bits."""
    parts: list[Array] = [np.zeros(0, dtype)]
    for field in found:
        if field.number in _TYPED:
            parts.append(np.frombuffer(data[field.begin : field.end], _TYPED[field.number]).astype(dtype))
        elif field.number in _NUMBERS:
            bits = np.uint16 if dtype == np.float16 else dtype
            parts.append(np.array(_numbers(data, field), np.int64).astype(bits).view(dtype))
    return np.concatenate(parts)


def _mapped(path: Path, name: str, beside: dict[str, str], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    offset, size_bytes = int(beside.get("offset", 0)), math.prod(shape) * dtype.itemsize
    file = external_data.checked(path, name, beside.get("location", ""), offset, size_bytes)
    if not size_bytes:
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype, mode="r", offset=offset, shape=shape)


def _entry(data: mmap.mmap, message: Field) -> tuple[str, str]:
    words = {field.number: data[field.begin : field.end].decode() for field in _whole(data, message)}
    return words.get(1, ""), words.get(2, "")


def _numbers(data: mmap.mmap, field: Field) -> list[int]:
    """Return the integers of a field, packed or single, with their signs."""
    if field.wire == VARINT:
        return [_signed(varint(data, field.begin, field.end)[0])]
    found, place = [], field.begin
    while place < field.end:
        number, place = varint(data, place, field.end)
        found.append(_signed(number))
    return found


def _signed(number: int) -> int:
    return number - 2 * _SIGN if number & _SIGN else number


def _inner(data: mmap.mmap, message: Field, number: int) -> Iterator[Field]:
    return (field for field in _whole(data, message) if field.number == number and field.wire == BYTES)


def _whole(data: mmap.mmap, message: Field) -> Iterator[Field]:
    for field in fields(data, message.begin, message.end):
        if field.end > message.end:
            raise ValueError(f"{field.end - message.end} bytes are missing")
        yield field
