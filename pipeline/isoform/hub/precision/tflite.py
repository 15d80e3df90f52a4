"""A TFLite file with its weights in half precision: constants of float16, each with a DEQUANTIZE behind it.

That is the form that XNNPACK and the GPU delegate take; a runtime without half precision widens each weight once. The
arithmetic is the runtime's: float32 on CPUs. Weights are read from the mapped file and rounded piece by piece.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.converters.onnx_to_tflite import read_back
from isoform.core.artifact import Artifact
from isoform.core.cases import Array
from isoform.hub.passes.narrow import FEW, LARGEST

PACKAGES = ("ai_edge_litert", "flatbuffers")
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 64
_SMALLEST_STREAMED_BYTES = 4096
_PIECE = 1 << 24
"""Numbers that are rounded at once."""
_ANY_OFFSET = 1 << 40
_HALF_VERSION = 3
"""From which on DEQUANTIZE reads float16."""
_FLOAT, _HALF = schema.TensorType.FLOAT32, schema.TensorType.FLOAT16


def write(source: Artifact, target: Path, precision: str) -> tuple[list[str], list[str]]:
    """Write ``source`` to ``target`` and run it once.

    Returns:
        The constants that stay in float32, and why.

    Raises:
        IsoformError: LiteRT does not run what was written (kind "broken-file").
    """
    file = _File(np.memmap(source.model, np.uint8, mode="r"))
    kept = file.halve()
    file.save(target)
    read_back(Artifact("tflite", target, source.signature), {})
    note = f"constants of {FEW} numbers at most, and those beyond half precision's range, stay in float32"
    return kept, [note] if kept else []


class _File:
    """The tables of a file in memory, its large buffers where they are."""

    def __init__(self, data: Array) -> None:
        self._data = data
        self._model = schema.ModelT.InitFromPackedBuf(data, 0)
        self._halved: set[int] = set()

    def halve(self) -> list[str]:
        """Put a DEQUANTIZE behind every weight; return the names of the float32 constants that stay."""
        kept: list[str] = []
        for graph in self._model.subgraphs:
            new = []
            for index, tensor in enumerate(list(graph.tensors)):
                if tensor.type != _FLOAT or tensor.buffer == 0 or not self._size(tensor.buffer):
                    continue
                if index in graph.outputs or index in graph.inputs or not self._can_be_half(tensor.buffer):
                    kept.append(tensor.name.decode(errors="replace"))
                    continue
                new.append(self._dequantized(graph, index))
            graph.operators = [*new, *graph.operators]
        return list(dict.fromkeys(kept))

    def save(self, target: Path) -> None:
        """Write the tables, then the buffers, each at a multiple of 64 bytes."""
        begin = _aligned(len(self._tables(_ANY_OFFSET)))
        with target.open("wb") as file:
            file.write(self._tables(begin).ljust(begin, b"\0"))
            for place in self._streamed():
                written = 0
                for piece in self._pieces(place):
                    file.write(piece.data)
                    written += piece.nbytes
                file.write(b"\0" * (_aligned(written) - written))

    def _dequantized(self, graph: Any, index: int) -> Any:
        """Return an operator that gives the tensor ``index``, from a new one that holds its numbers rounded."""
        tensor = graph.tensors[index]
        half = schema.TensorT()
        half.name, half.type, half.shape, half.hasRank = tensor.name + b"/float16", _HALF, tensor.shape, tensor.hasRank
        half.buffer, tensor.buffer = tensor.buffer, 0
        self._halved.add(half.buffer)
        graph.tensors.append(half)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._code(), [len(graph.tensors) - 1], [index]
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        return operator

    def _code(self) -> int:
        """Return the place of DEQUANTIZE in the file's own table, of a version that reads float16."""
        wanted = schema.BuiltinOperator.DEQUANTIZE
        for place, code in enumerate(self._model.operatorCodes):
            if code.builtinCode == wanted:
                code.version = max(code.version, _HALF_VERSION)
                return place
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = wanted
        code.version = _HALF_VERSION
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _can_be_half(self, place: int) -> bool:
        numbers = self._content(place).view(np.float32)
        is_held = numbers.size > FEW and max(numbers.max(), -numbers.min()) <= LARGEST
        return place in self._halved or bool(is_held)

    def _size(self, place: int) -> int:
        return int(self._content(place).nbytes)

    def _content(self, place: int) -> Array:
        """Return the bytes of a buffer, wherever in the file they stand."""
        buffer = self._model.buffers[place]
        if buffer.offset > 1:
            return self._data[buffer.offset : buffer.offset + buffer.size]
        return np.zeros(0, np.uint8) if buffer.data is None else np.asarray(buffer.data, np.uint8)

    def _pieces(self, place: int) -> Iterator[Array]:
        content = self._content(place)
        if place not in self._halved:
            yield content
            return
        numbers = content.view(np.float32)
        for begin in range(0, numbers.size, _PIECE):
            yield numbers[begin : begin + _PIECE].astype(np.float16).view(np.uint8)

    def _bytes(self, place: int) -> int:
        return self._size(place) // (2 if place in self._halved else 1)

    def _streamed(self) -> list[int]:
        return [
            place for place in range(len(self._model.buffers)) if self._bytes(place) >= _SMALLEST_STREAMED_BYTES
        ]  # fmt: skip

    def _tables(self, begin: int) -> bytes:
        buffers = []
        for place, old in enumerate(self._model.buffers):
            table = schema.BufferT()
            size = self._bytes(place)
            if size >= _SMALLEST_STREAMED_BYTES:
                table.offset, table.size = begin, size
                begin += _aligned(size)
            elif size:
                table.data = np.concatenate(list(self._pieces(place)))
            buffers.append(table if size else old)
        before, self._model.buffers = self._model.buffers, buffers
        try:
            builder = flatbuffers.Builder(1 << 16)
            builder.Finish(self._model.Pack(builder), _IDENTIFIER)
            return bytes(builder.Output())
        finally:
            self._model.buffers = before


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
