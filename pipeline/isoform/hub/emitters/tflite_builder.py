"""A TFLite file in memory: sub-graphs, tensors, operators, signatures; and how it is written.

Small constants stand inside the flatbuffer. Weights follow it, aligned, and are streamed to the file one by one, so
that a large model is never copied as a whole. Not aware of ONNX.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.quantization import Quantization

Array = npt.NDArray[Any]

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_ALIGNMENT = 64
_SMALLEST_STREAMED_BYTES = 4096
_LARGEST_COPIED_BYTES = 64 << 20
_STRIP = 256
_ANY_OFFSET = 1 << 40
_OLD_CODES_END = 127
_Code = schema.BuiltinOperator
_VERSIONS = {
    _Code.ADD: 4, _Code.ARG_MAX: 3, _Code.ARG_MIN: 3, _Code.BROADCAST_TO: 2, _Code.CONV_2D: 6, _Code.EQUAL: 4,
    _Code.FULLY_CONNECTED: 6, _Code.GATHER: 4, _Code.MUL: 6, _Code.RESIZE_BILINEAR: 3,
    _Code.RESIZE_NEAREST_NEIGHBOR: 3, _Code.SPLIT_V: 2, _Code.SUB: 4, _Code.TRANSPOSE: 4, _Code.TRANSPOSE_CONV: 3,
}  # fmt: skip
"""The versions that know what is used here (groups, no bias, int64, six axes, half-pixel centres), where not 1."""
_KEEPING = {
    _Code.BATCH_TO_SPACE_ND, _Code.BROADCAST_TO, _Code.DEPTH_TO_SPACE, _Code.EXPAND_DIMS, _Code.GATHER, _Code.GATHER_ND,
    _Code.MIRROR_PAD, _Code.PAD, _Code.PADV2, _Code.RESHAPE, _Code.RESIZE_NEAREST_NEIGHBOR, _Code.REVERSE_V2,
    _Code.SLICE, _Code.SPACE_TO_BATCH_ND, _Code.SPACE_TO_DEPTH, _Code.SQUEEZE, _Code.STRIDED_SLICE, _Code.TILE,
    _Code.TRANSPOSE,
}  # fmt: skip
"""Operators whose result holds integers of the first input."""
DTYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "float64": schema.TensorType.FLOAT64,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "uint8": schema.TensorType.UINT8,
    "uint16": schema.TensorType.UINT16,
    "uint32": schema.TensorType.UINT32,
    "uint64": schema.TensorType.UINT64,
    "bool": schema.TensorType.BOOL,
}
Shape = Sequence[int | None]
"""Sizes; None where a size is known only when the model runs."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of one sub-graph.

    Attributes:
        array: its value, for a constant.
        quantization: what its integers stand for; None where they stand for themselves.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int | None, ...]
    array: Array | None = None
    quantization: Quantization | None = None


@dataclass
class SubGraph:
    """One graph of the file: the main one, or the condition or body of a loop."""

    file: "FlatFile"
    name: str
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    constants: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)

    def tensor(self, name: str, dtype: str, shape: Shape, quantization: Quantization | None = None) -> Tensor:
        """Return a new tensor that an operator will fill."""
        tensor = Tensor(len(self.tensors), name, dtype, tuple(shape), quantization=quantization)
        self.tensors.append(tensor)
        return tensor

    def input(self, name: str, dtype: str, shape: Shape, quantization: Quantization | None = None) -> Tensor:
        """Return a new tensor that the caller fills."""
        tensor = self.tensor(name, dtype, shape, quantization)
        self.inputs.append(tensor)
        return tensor

    def constant(self, array: Array, name: str = "constant", quantization: Quantization | None = None) -> Tensor:
        """Return a tensor that holds ``array``; views of the same elements in the same order are stored once."""
        key = (array.__array_interface__["data"][0], array.shape, array.strides, str(array.dtype), id(quantization))
        if key not in self.constants:
            tensor = Tensor(len(self.tensors), name, str(array.dtype), array.shape, array, quantization)
            self.tensors.append(tensor)
            self.constants[key] = tensor
        return self.constants[key]

    def add(self, code: int, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], options: Any = None) -> None:
        """Append an operator; None stands for an optional input that is absent."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.file.operator_code(code)
        operator.inputs = [-1 if tensor is None else tensor.index for tensor in inputs]
        operator.outputs = [tensor.index for tensor in outputs]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(operator)

    def make(
        self, code: int, inputs: Sequence[Tensor | None], shape: Shape, options: Any = None, dtype: str | None = None
    ) -> Tensor:
        """Append an operator with one result and return that; its dtype is that of the first input unless given."""
        first = next(tensor for tensor in inputs if tensor is not None)
        kept = first.quantization if code in _KEEPING else None
        result = self.tensor(f"{self.name}/{len(self.tensors)}", dtype or first.dtype, shape, kept)
        self.add(code, inputs, [result], options)
        return result


@dataclass
class FlatFile:
    """The whole file: its sub-graphs, the first of which is the main one.

    Attributes:
        unrolled_steps: how many steps of recurrent operators stand in it one after the other.
        is_hybrid: whether layers of numbers read weights of eight bits as they are stored: their kernels round what
            comes in to integers of its own range.
    """

    sub_graphs: list[SubGraph] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)
    unrolled_steps: int = 0
    is_hybrid: bool = False

    def sub_graph(self, name: str) -> SubGraph:
        """Return a new, empty sub-graph."""
        graph = SubGraph(self, name)
        self.sub_graphs.append(graph)
        return graph

    def operator_code(self, code: int) -> int:
        """Return the place of a builtin operator in the file's own table."""
        if code not in self.codes:
            self.codes.append(code)
        return self.codes.index(code)

    def require_version(self, code: int, version: int) -> None:
        """Note that an operator is used in a way that only versions from this one on know."""
        self.versions[code] = max(version, self.versions.get(code, 1))

    def write(self, file: IO[bytes]) -> None:
        """Write the file: the flatbuffer, then the weights, each at a multiple of 64 bytes."""
        buffers = _Buffers(self.sub_graphs)
        begin = _aligned(len(self._root(buffers, _ANY_OFFSET)))
        file.write(self._root(buffers, begin).ljust(begin, b"\0"))
        for array in buffers.streamed:
            for block in _blocks(array):
                file.write(block.reshape(-1).view(np.uint8).data)
            file.write(b"\0" * (_aligned(array.nbytes) - array.nbytes))

    def save(self, path: Path) -> None:
        """Write the file to ``path``."""
        with path.open("wb") as file:
            self.write(file)

    def _root(self, buffers: "_Buffers", begin: int) -> bytes:
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = b"isoform"
        model.operatorCodes = [_operator_code(code, self.versions.get(code, 1)) for code in self.codes]
        model.subgraphs = [_sub_graph(graph, buffers) for graph in self.sub_graphs]
        model.buffers = buffers.tables(begin)
        model.signatureDefs = [_signature(self.sub_graphs[0])]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())


class _Buffers:
    """The buffers of all constants, equal small ones stored once; buffer 0 is the empty one."""

    def __init__(self, graphs: Sequence[SubGraph]) -> None:
        self._arrays: list[Array] = []
        self._places: dict[Any, int] = {}
        for graph in graphs:
            for tensor in graph.tensors:
                if tensor.array is not None:
                    key = _key(tensor.array)
                    if key not in self._places:
                        self._places[key] = len(self._arrays) + 1
                        self._arrays.append(tensor.array)

    def place(self, tensor: Tensor) -> int:
        return 0 if tensor.array is None else self._places[_key(tensor.array)]

    @property
    def streamed(self) -> list[Array]:
        return [array for array in self._arrays if array.nbytes >= _SMALLEST_STREAMED_BYTES]

    def tables(self, begin: int) -> list[Any]:
        tables = [schema.BufferT()]
        for array in self._arrays:
            table = schema.BufferT()
            if array.nbytes >= _SMALLEST_STREAMED_BYTES:
                table.offset, table.size = begin, array.nbytes
                begin += _aligned(array.nbytes)
            else:
                table.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
            tables.append(table)
        return tables


def _blocks(array: Array) -> Iterator[Array]:
    """Yield the elements in order, in arrays that lie in memory in one piece: a view that moves axes, part by part."""
    if array.flags.c_contiguous:
        yield array
        return
    if array.ndim > 1 and array.shape[0] and array.nbytes // array.shape[0] > _LARGEST_COPIED_BYTES:
        for part in array:
            yield from _blocks(part)
        return
    rows = max(1, _LARGEST_COPIED_BYTES * len(array) // array.nbytes)
    for begin in range(0, len(array), rows):
        yield _in_order(array[begin : begin + rows])


def _in_order(view: Array) -> Array:
    """Return a copy in memory order, made in strips: a cache line of a transposed weight is read once for many rows."""
    copy = np.empty(view.shape, view.dtype)
    for begin in range(0, view.shape[-1], _STRIP):
        copy[..., begin : begin + _STRIP] = view[..., begin : begin + _STRIP]
    return copy


def _key(array: Array) -> Any:
    is_small = array.nbytes < _SMALLEST_STREAMED_BYTES
    return (str(array.dtype), array.shape, array.tobytes()) if is_small else id(array)


def _operator_code(code: int, version: int) -> Any:
    table = schema.OperatorCodeT()
    table.builtinCode, table.deprecatedBuiltinCode = code, min(code, _OLD_CODES_END)
    table.version = max(version, _VERSIONS.get(code, 1))
    return table


def _sub_graph(graph: SubGraph, buffers: _Buffers) -> Any:
    table = schema.SubGraphT()
    table.name = graph.name.encode()
    table.tensors = [_tensor(tensor, buffers) for tensor in graph.tensors]
    table.inputs = [tensor.index for tensor in graph.inputs]
    table.outputs = [tensor.index for tensor in graph.outputs]
    table.operators = graph.operators
    return table


def _tensor(tensor: Tensor, buffers: _Buffers) -> Any:
    table = schema.TensorT()
    table.name, table.type, table.buffer = tensor.name.encode(), DTYPES[tensor.dtype], buffers.place(tensor)
    table.shape = [1 if size is None else size for size in tensor.shape]
    table.hasRank = True
    if None in tensor.shape:
        table.shapeSignature = [-1 if size is None else size for size in tensor.shape]
    if tensor.quantization is not None:
        table.quantization = _quantization(tensor.quantization)
    return table


def _quantization(found: Quantization) -> Any:
    table = schema.QuantizationParametersT()
    table.scale = found.scale.reshape(-1).astype(np.float32)
    table.zeroPoint = found.zero_point.reshape(-1).astype(np.int64)
    table.quantizedDimension = found.axis or 0
    return table


def _signature(graph: SubGraph) -> Any:
    table = schema.SignatureDefT()
    table.signatureKey, table.subgraphIndex = b"serving_default", 0
    table.inputs = [_named(tensor) for tensor in graph.inputs]
    table.outputs = [_named(tensor) for tensor in graph.outputs]
    return table


def _named(tensor: Tensor) -> Any:
    table = schema.TensorMapT()
    table.name, table.tensorIndex = tensor.name.encode(), tensor.index
    return table


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
