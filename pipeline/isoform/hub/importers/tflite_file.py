"""A TFLite file as it stands on disk: sub-graphs, tensors, operators, signatures; constants are views of the mapping.

Not aware of ONNX, nor of what an operator means.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from isoform.errors import IsoformError

Array = npt.NDArray[Any]

_IDENTIFIER = b"TFL3"
_CODES = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_DTYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
_HALF_BYTES = {"int4": (np.int8, 8), "uint4": (np.uint8, 0)}
_NUMERIC = frozenset(
    {
        "bool", "float16", "float32", "float64", "int4", "int8", "int16", "int32", "int64", "uint4", "uint8", "uint16",
        "uint32", "uint64",
    }
)  # fmt: skip
_PLACEHOLDER = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES


@dataclass(frozen=True, eq=False)
class Quantization:
    """How integers stand for numbers: ``scale * (integer - zero_point)``.

    Attributes:
        scale: float32, one number, or one for each place along ``axis``.
        zero_point: int64, as many.
    """

    scale: Array
    zero_point: Array
    axis: int

    @property
    def is_per_channel(self) -> bool:
        return self.scale.size > 1

    def same_as(self, other: "Quantization | None") -> bool:
        """Return whether equal integers mean equal numbers under both."""
        return (
            other is not None
            and not (self.is_per_channel or other.is_per_channel)
            and bool((self.scale == other.scale).all() and (self.zero_point == other.zero_point).all())
        )


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of one sub-graph.

    Attributes:
        dtype: numpy's name, or string, resource, variant, complex64 ...; integers of four bits count as int8, uint8.
        shape: sizes; None where a size is known only when the model runs.
        has_rank: False where the file leaves open how many axes there are.
        array: the value of a constant, a view of the file.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int | None, ...]
    has_rank: bool
    array: Array | None
    quantization: Quantization | None
    is_variable: bool


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of a sub-graph.

    Attributes:
        name: the builtin's name; ``CUSTOM name`` for a custom one.
        options: the schema's object for its options, None where it has none.
        inputs: places of tensors; -1 where an optional one is absent.
        pads: before height and width, then after them, for a convolution that was put together; no file holds them.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    pads: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class SubGraph:
    """The main graph, or what a control-flow operator calls."""

    index: int
    name: str
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """The names that callers use for the inputs and outputs of one sub-graph: name to place of the tensor."""

    sub_graph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True)
class TfliteFile:
    """What the file holds."""

    sub_graphs: Sequence[SubGraph]
    signatures: Mapping[str, Signature]


def readings(graph: SubGraph) -> list[int]:
    """Return the places that are read, once for each reader: operators, and whoever takes the outputs."""
    return [*(place for operator in graph.operators for place in operator.inputs), *graph.outputs]


def read(source: str | Path | bytes) -> TfliteFile:
    """Return what the file at a path, or the content of one, holds; a path is mapped, not read.

    Raises:
        IsoformError: there is no such file, or it is no TFLite file, or a damaged one.
    """
    name, data = _content(source)
    if bytes(data[4:8]) != _IDENTIFIER:
        raise IsoformError(f"{name}: not a TFLite file.", "Check the path.", kind="damaged")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        return _file(model, data)
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        # What reading at offsets beyond the end, or of tables that are none, leads to.
        raise IsoformError(
            f"{name}: a damaged TFLite file ({type(error).__name__}: {str(error)[:200]}).",
            "Export or fetch it again.",
            kind="damaged",
        ) from error


def _content(source: str | Path | bytes) -> tuple[str, Array]:
    if isinstance(source, bytes):
        return "The file", np.frombuffer(source, np.uint8)
    path = Path(source)
    if not path.is_file():
        raise IsoformError(f"{path}: no such file.", "Check the path.", kind="no-file")
    if path.stat().st_size == 0:
        raise IsoformError(f"{path}: an empty file.", "Export or fetch it again.", kind="damaged")
    return str(path), np.memmap(path, np.uint8, mode="r")


def _file(model: Any, data: Array) -> TfliteFile:
    names = [_operator_name(code) for code in model.operatorCodes or ()]
    versions = [code.version for code in model.operatorCodes or ()]
    graphs = []
    # Files that are older than the field say it of no tensor: one without sizes is a number there.
    says_ranks = any(tensor.hasRank for table in model.subgraphs for tensor in _list(table.tensors))
    for index, table in enumerate(model.subgraphs):
        tensors = [
            _tensor(place, tensor, model.buffers, data, says_ranks) for place, tensor in enumerate(_list(table.tensors))
        ]
        operators = [
            _operator(place, each, names[each.opcodeIndex], versions[each.opcodeIndex])
            for place, each in enumerate(_list(table.operators))
        ]
        graph = SubGraph(index, _text(table.name), tensors, operators, _places(table.inputs), _places(table.outputs))
        _require_places(graph)
        graphs.append(graph)
    signatures = {_text(each.signatureKey): _signature(each) for each in model.signatureDefs or ()}
    return TfliteFile(graphs, signatures)


def _require_places(graph: SubGraph) -> None:
    places = [*graph.inputs, *graph.outputs]
    for operator in graph.operators:
        places += [place for place in (*operator.inputs, *operator.outputs) if place != -1]
    if any(not 0 <= place < len(graph.tensors) for place in places):
        raise IndexError(f"sub-graph {graph.index} names a tensor that it does not have")


def _operator_name(code: Any) -> str:
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM {_text(code.customCode)}"
    name = _CODES.get(number)
    return f"operator {number}" if name is None or number == _PLACEHOLDER else name


def _operator(index: int, table: Any, name: str, version: int) -> Operator:
    options = table.builtinOptions if table.builtinOptions is not None else table.builtinOptions2
    return Operator(index, name, version, _places(table.inputs), _places(table.outputs), options)


def _tensor(index: int, table: Any, buffers: Any, data: Array, says_ranks: bool) -> Tensor:
    dtype = _DTYPES.get(table.type, f"type {table.type}")
    sizes = [int(size) for size in _list(table.shape)]
    signature = [int(size) for size in _list(table.shapeSignature)] or sizes
    array = None
    content = _buffer(buffers[table.buffer], data)
    if content is not None and dtype in _NUMERIC and table.sparsity is None and not table.isVariable:
        array = _array(content, dtype, sizes)
    return Tensor(
        index,
        _text(table.name),
        dtype.removesuffix("4") + "8" if dtype in _HALF_BYTES else dtype,
        tuple(size if size >= 0 else None for size in signature),
        bool(table.hasRank or sizes or array is not None or not says_ranks),
        array,
        _quantization(table.quantization),
        bool(table.isVariable),
    )


def _buffer(buffer: Any, data: Array) -> Array | None:
    """Return the bytes of a buffer, also of one that stands behind the flatbuffer; None where it is empty."""
    if buffer.offset > 1:
        if buffer.offset + buffer.size > data.size:
            raise IndexError(f"a buffer ends at byte {buffer.offset + buffer.size} of {data.size}")
        return data[buffer.offset : buffer.offset + buffer.size]
    found = buffer.data
    return None if found is None or len(found) == 0 else np.asarray(found, np.uint8)


def _array(content: Array, dtype: str, sizes: Sequence[int]) -> Array:
    if dtype in _HALF_BYTES:
        return _halves(content, dtype, sizes)
    count = int(np.prod(sizes, dtype=np.int64))
    return np.frombuffer(content, np.dtype(dtype), count).reshape(sizes)


def _halves(content: Array, dtype: str, sizes: Sequence[int]) -> Array:
    """Return integers of four bits, the lower half of a byte first, one a byte."""
    kind, half = _HALF_BYTES[dtype]
    values = np.stack([content & 15, content >> 4], -1).reshape(-1)[: int(np.prod(sizes, dtype=np.int64))]
    values = values.astype(kind).reshape(sizes)
    return np.where(values >= half, values - 16, values).astype(kind) if half else values


def _quantization(table: Any) -> Quantization | None:
    scale = _list(table.scale) if table is not None else ()
    if len(scale) == 0:
        return None
    zero_point = np.array(_list(table.zeroPoint), np.int64)
    zero_point = np.broadcast_to(zero_point if zero_point.size else np.int64(0), (len(scale),))
    return Quantization(np.array(scale, np.float32), zero_point, int(table.quantizedDimension))


def _signature(table: Any) -> Signature:
    inputs, outputs = (
        {_text(each.name) or f"tensor_{each.tensorIndex}": int(each.tensorIndex) for each in side or ()}
        for side in (table.inputs, table.outputs)
    )
    return Signature(int(table.subgraphIndex), inputs, outputs)


def _list(values: Any) -> Any:
    return () if values is None else values


def _places(values: Any) -> tuple[int, ...]:
    return tuple(int(place) for place in _list(values))


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode(errors="replace")
