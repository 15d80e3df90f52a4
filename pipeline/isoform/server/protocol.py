"""The Open Inference Protocol, version 2: requests become tensors of a signature, tensors become answers.

https://github.com/kserve/open-inference-protocol, with its extension for binary tensors. JSON carries finite numbers
only, as its standard says; the binary form carries all. Not aware of HTTP, batches or runtimes.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from isoform.core.protocols import Array
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError

DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "string": "BYTES",
}  # fmt: skip
"""The protocol's datatype for each dtype; numpy has none for bfloat16."""
EXTENSIONS = ("binary_tensor_data",)
HEADER_LENGTH = "Inference-Header-Content-Length"
"""Of a body with binary tensors behind its JSON: how many bytes the JSON takes."""
_JSON_TYPES: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}, "O": {str}}
_LENGTH_BYTES = 4


class Refused(Exception):
    """A request that is not answered: the HTTP status, and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Request:
    """What a client asks.

    Attributes:
        inputs: by name, in the dtypes of the signature; text as an array of ``str`` objects.
        outputs: the names of the outputs to give, in this order.
        binary: which of them as bytes behind the JSON.
    """

    id: str | None
    inputs: dict[str, Array]
    outputs: tuple[str, ...]
    binary: frozenset[str]


def check_servable(signature: Signature) -> None:
    """Raise UsageError if an input or output has a dtype that the protocol's clients cannot send or read."""
    for spec in (*signature.inputs, *signature.outputs):
        if spec.dtype not in DATATYPES:
            raise UsageError(
                f"'{spec.name}' is {spec.dtype}, which cannot be served.", "Export the model with float32 inputs."
            )


def metadata(name: str, platform: str, signature: Signature) -> dict[str, Any]:
    """Return what a server says of a model; -1 is a size that a request may choose."""

    def tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
        return [
            {
                "name": spec.name,
                "datatype": DATATYPES[spec.dtype],
                "shape": [-1 if isinstance(dim, str) else dim for dim in spec.shape],
            }
            for spec in specs
        ]

    return {
        "name": name, "versions": ["1"], "platform": platform,
        "inputs": tensors(signature.inputs), "outputs": tensors(signature.outputs),
    }  # fmt: skip


def parse(body: bytes, header_length: str | None, signature: Signature) -> Request:
    """Return what ``body`` asks.

    Args:
        header_length: the header `HEADER_LENGTH` as it came; None where all of the body is JSON.

    Raises:
        Refused: it does not fit the protocol or the signature; status 400.
    """
    head, rest = _split(body, header_length)
    document = _document(head)
    wanted = _wanted(document, signature)
    given = _given(document, signature)
    blobs = _blobs([given[name] for name in given], rest)
    inputs = {spec.name: _tensor(spec, given[spec.name], blobs.get(spec.name)) for spec in signature.inputs}
    _check_sizes(signature, inputs)
    return Request(document.get("id"), inputs, tuple(wanted), frozenset(name for name in wanted if wanted[name]))


def answer(
    name: str, signature: Signature, request: Request, outputs: Mapping[str, Array], parameters: Mapping[str, Any]
) -> tuple[bytes, int | None]:
    """Return the body that answers ``request``, and how long its JSON is where binary tensors follow it.

    Raises:
        Refused: an output holds NaN or infinity and was not asked for in binary; status 422.
    """
    entries, blobs = [], []
    for spec in signature.outputs:
        if spec.name not in request.outputs:
            continue
        array = outputs[spec.name]
        entry: dict[str, Any] = {
            "name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": list(array.shape),
        }  # fmt: skip
        if spec.name in request.binary:
            blobs.append(_bytes(array, spec))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = _data(array, spec)
        entries.append(entry)
    document = {"model_name": name, "model_version": "1", "parameters": dict(parameters), "outputs": entries}
    if request.id is not None:
        document["id"] = request.id
    head = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join([head, *blobs]), len(head) if blobs else None


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit()) or int(header_length) > len(body):
        raise Refused(400, f"{HEADER_LENGTH} is no number of bytes of this body.")
    return body[: int(header_length)], body[int(header_length) :]


def _document(head: bytes) -> dict[str, Any]:
    try:
        document = json.loads(head, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The request is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise Refused(400, "The request is not a JSON object.")
    if not isinstance(document.get("id"), str | None):
        raise Refused(400, "'id' is not text.")
    return document


def _no_constant(word: str) -> float:
    raise ValueError(f"it has no {word}, send such numbers as binary data")


def _given(document: Mapping[str, Any], signature: Signature) -> dict[str, dict[str, Any]]:
    """Return the entry of each input, in the order of the request."""
    names = [spec.name for spec in signature.inputs]
    given: dict[str, dict[str, Any]] = {}
    for entry in _entries(document, "inputs"):
        if entry["name"] not in names:
            raise Refused(400, f"There is no input '{entry['name']}', only: {', '.join(names)}.")
        if entry["name"] in given:
            raise Refused(400, f"Input '{entry['name']}' is given twice.")
        given[entry["name"]] = entry
    missing = [name for name in names if name not in given]
    if missing:
        raise Refused(400, f"Input '{missing[0]}' is missing.")
    return given


def _wanted(document: Mapping[str, Any], signature: Signature) -> dict[str, bool]:
    """Return whether each output that is asked for is to come in binary; all outputs where none is named."""
    names = [spec.name for spec in signature.outputs]
    usually = _parameters(document).get("binary_data_output", False)
    if "outputs" not in document:
        return dict.fromkeys(names, _bool("binary_data_output", usually))
    wanted = {}
    for entry in _entries(document, "outputs"):
        if entry["name"] not in names:
            raise Refused(400, f"There is no output '{entry['name']}', only: {', '.join(names)}.")
        wanted[entry["name"]] = _bool("binary_data", _parameters(entry).get("binary_data", usually))
    return wanted or dict.fromkeys(names, _bool("binary_data_output", usually))


def _bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(400, f"'{name}' is neither true nor false.")
    return value


def _entries(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise Refused(400, f"'{key}' is not a list of tensors.")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Refused(400, f"An entry of '{key}' has no name.")
    return entries


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise Refused(400, "'parameters' is not an object.")
    return parameters


def _blobs(entries: Sequence[Mapping[str, Any]], rest: bytes) -> dict[str, bytes]:
    """Return the bytes of each binary input; they stand behind the JSON in the order of the inputs."""
    blobs, begin = {}, 0
    for entry in entries:
        size = _parameters(entry).get("binary_data_size")
        if size is None:
            continue
        if type(size) is not int or size < 0 or begin + size > len(rest):
            raise Refused(400, f"'binary_data_size' of '{entry['name']}' is not what follows the JSON.")
        blobs[entry["name"]] = rest[begin : begin + size]
        begin += size
    if begin != len(rest):
        raise Refused(400, f"{len(rest) - begin} bytes behind the JSON belong to no input.")
    return blobs


def _tensor(spec: TensorSpec, entry: Mapping[str, Any], blob: bytes | None) -> Array:
    if entry.get("datatype") != DATATYPES[spec.dtype]:
        raise Refused(400, f"Input '{spec.name}' is {DATATYPES[spec.dtype]}, not {str(entry.get('datatype'))[:20]}.")
    shape = _shape(spec, entry.get("shape"))
    if blob is not None and "data" in entry:
        raise Refused(400, f"Input '{spec.name}' has both 'data' and 'binary_data_size'.")
    array = _from_json(spec, shape, entry.get("data")) if blob is None else _from_bytes(spec, shape, blob)
    low, high = spec.low, spec.high
    if (low is not None and array.min() < low) or (high is not None and array.max() >= high):
        bounds = f"{'' if low is None else low}..{'' if high is None else high - 1}"
        raise Refused(400, f"Input '{spec.name}' has values outside of {bounds}.")
    return array


def _shape(spec: TensorSpec, shape: Any) -> tuple[int, ...]:
    is_shape = isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)
    fits = is_shape and len(shape) == len(spec.shape)
    if not fits or any(isinstance(dim, int) and dim != size for dim, size in zip(spec.shape, shape, strict=True)):
        raise Refused(400, f"Input '{spec.name}' has the shape [{_shown(spec.shape)}], not {str(shape)[:80]}.")
    return tuple(shape)


def _shown(shape: Sequence[int | str]) -> str:
    return ",".join(map(str, shape))


def _from_json(spec: TensorSpec, shape: tuple[int, ...], data: Any) -> Array:
    """Return JSON's numbers as a tensor; they may be nested as the shape says, or stand in one row."""
    if not isinstance(data, list):
        raise Refused(400, f"Input '{spec.name}' has no list 'data'.")
    if any(isinstance(item, list) for item in data):
        elements = _flat(spec, shape, data)
    elif len(data) == math.prod(shape):
        elements = data
    else:
        raise Refused(400, f"Input '{spec.name}' has {len(data)} elements in 'data' and the shape {list(shape)}.")
    dtype = _numpy(spec)
    if not set(map(type, elements)) <= _JSON_TYPES[dtype.kind]:
        raise Refused(400, f"Input '{spec.name}' has elements in 'data' that are not {DATATYPES[spec.dtype]}.")
    try:
        with np.errstate(over="ignore"):
            array = np.array(elements, dtype)
    except OverflowError:
        array = None
    if array is None or (dtype.kind == "f" and not np.isfinite(array).all()):
        raise Refused(400, f"Input '{spec.name}' has numbers that {DATATYPES[spec.dtype]} does not hold.")
    return array.reshape(shape)


def _flat(spec: TensorSpec, shape: tuple[int, ...], data: list[Any]) -> list[Any]:
    rows = [data]
    for size in shape:
        if any(not isinstance(row, list) or len(row) != size for row in rows):
            raise Refused(400, f"Input '{spec.name}' is not nested as its shape {list(shape)} says.")
        rows = list(chain.from_iterable(rows))
    return rows


def _from_bytes(spec: TensorSpec, shape: tuple[int, ...], blob: bytes) -> Array:
    dtype, count = _numpy(spec), math.prod(shape)
    if dtype.kind == "O":
        texts = list(_texts(spec, blob))
        if len(texts) != count:
            raise Refused(400, f"Input '{spec.name}' has {len(texts)} elements and the shape {list(shape)}.")
        return np.array(texts, dtype).reshape(shape)
    if len(blob) != count * dtype.itemsize:
        raise Refused(400, f"Input '{spec.name}' has {len(blob)} bytes, its shape {count * dtype.itemsize}.")
    if dtype.kind == "b" and blob.strip(b"\0\1"):
        raise Refused(400, f"Input '{spec.name}' has bytes that are neither 0 nor 1.")
    return np.frombuffer(blob, dtype.newbyteorder("<")).reshape(shape).astype(dtype)


def _texts(spec: TensorSpec, blob: bytes) -> Iterator[str]:
    """Yield the elements of a BYTES tensor, each its length in four bytes and UTF-8."""
    begin = 0
    while begin < len(blob):
        end = begin + _LENGTH_BYTES
        size = int.from_bytes(blob[begin:end], "little")
        if end > len(blob) or end + size > len(blob):
            raise Refused(400, f"Input '{spec.name}' ends within an element.")
        try:
            yield blob[end : end + size].decode()
        except UnicodeDecodeError:
            raise Refused(400, f"Input '{spec.name}' holds text that is not UTF-8.") from None
        begin = end + size


def _check_sizes(signature: Signature, inputs: Mapping[str, Array]) -> None:
    """Refuse two sizes for one name of a dimension."""
    sizes: dict[str, int] = {}
    for spec in signature.inputs:
        for dim, size in zip(spec.shape, inputs[spec.name].shape, strict=True):
            if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                raise Refused(400, f"'{dim}' is {sizes[dim]} and, in input '{spec.name}', {size}.")


def _numpy(spec: TensorSpec) -> np.dtype[Any]:
    return np.dtype(object) if spec.dtype == "string" else np.dtype(spec.dtype)


def _data(array: Array, spec: TensorSpec) -> list[Any]:
    """Return the elements in one row; a float32 comes back from its digits as the same float32."""
    if spec.dtype == "string":
        return list(map(_text, array.ravel().tolist()))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Refused(
            422, f"Output '{spec.name}' holds NaN or infinity, which JSON does not have: ask for binary data."
        )
    elements: list[Any] = array.ravel().tolist()
    return elements


def _bytes(array: Array, spec: TensorSpec) -> bytes:
    if spec.dtype != "string":
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    texts = [_text(item).encode() for item in array.ravel().tolist()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _text(item: Any) -> str:
    return item.decode(errors="replace") if isinstance(item, bytes) else str(item)
