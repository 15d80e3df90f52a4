"""A file of OpenVINO's IR, read with NumPy and nothing else: its layers, and the weights in the file beside it.

Layout: docs.openvino.ai, "OpenVINO IR format": layers, ports and edges in XML, constants as places in one binary file.
Constants that OpenVINO folded or compressed stand there as it left them. Not aware of what layers compute.
"""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from isoform.errors import IsoformError
from isoform.intake import external_data

Array = npt.NDArray[Any]
_DTYPES = {
    "f16": "<f2", "f32": "<f4", "f64": "<f8", "boolean": "?", "i8": "i1", "u8": "u1", "i16": "<i2", "u16": "<u2",
    "i32": "<i4", "u32": "<u4", "i64": "<i8", "u64": "<u8",
}  # fmt: skip
_ROOT = b"<net"


def is_ir(head: bytes) -> bool:
    """Tell whether a file that begins with ``head`` is an IR's XML."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<?xml"):
        text = text.partition(b"?>")[2].lstrip()
    return text.startswith(_ROOT) and text[len(_ROOT) : len(_ROOT) + 1] in (b" ", b">", b"\n", b"\t", b"\r")


def weights_file(path: Path) -> Path:
    """Return where the weights of the model ``path`` lie."""
    return path.with_suffix(".bin")


def root(path: Path) -> ET.Element:
    """Return the outermost element of an IR's XML.

    Raises:
        IsoformError: it is cut off or not XML, or declares entities, which no IR has.
    """
    data = path.read_bytes()
    try:
        if b"<!DOCTYPE" in data:
            raise ValueError("it declares a document type")
        return ET.fromstring(data)
    except (ValueError, LookupError, ET.ParseError) as error:  # LookupError: an encoding that nobody knows
        raise _damaged(path, error) from error


def weights(path: Path) -> dict[str, Array]:
    """Return the constants of the graph and of its inner graphs by layer; a name that is taken already gets a number.

    Types that NumPy has not, and text, are left out.

    Raises:
        IsoformError: the XML is damaged, or the file of weights is missing, too short or a link.
    """
    found: dict[str, Array] = {}
    for layer in constants(root(path)):
        name = layer.get("name", "")
        array = _mapped(path, name, layer)
        if array is not None:
            found[name if name not in found else f"{name}#{len(found)}"] = array
    return found


def constants(net: ET.Element) -> Iterator[ET.Element]:
    """Yield the layers that hold a constant, those of inner graphs too."""
    return (layer for layer in net.iter("layer") if layer.get("type") == "Const" and layer.find("data") is not None)


def placed(layer: ET.Element) -> tuple[str | None, tuple[int, ...], int, int]:
    """Return dtype (None where NumPy has none), shape, first byte and size in bytes of a constant.

    Raises:
        ValueError: the layer does not say it, or its shape takes another number of bytes.
    """
    data = layer.find("data")
    attributes = {} if data is None else data.attrib
    dtype = _DTYPES.get(attributes.get("element_type", ""))
    shape = tuple(int(size) for size in attributes.get("shape", "").split(",") if size.strip())
    begin, size_bytes = int(attributes.get("offset", "-1")), int(attributes.get("size", "-1"))
    if min((begin, size_bytes, *shape)) < 0:
        raise ValueError(f"constant '{layer.get('name')}' has no place")
    if dtype is not None and math.prod(shape) * np.dtype(dtype).itemsize != size_bytes:
        raise ValueError(f"constant '{layer.get('name')}' of shape {list(shape)} has {size_bytes} bytes")
    return dtype, shape, begin, size_bytes


def _mapped(path: Path, name: str, layer: ET.Element) -> Array | None:
    try:
        dtype, shape, begin, size_bytes = placed(layer)
    except ValueError as error:
        raise _damaged(path, error) from error
    file = external_data.checked(path, name, weights_file(path).name, begin, size_bytes)
    if dtype is None:
        return None
    if not size_bytes:
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype, mode="r", offset=begin, shape=shape)


def described(path: Path) -> dict[str, Any]:
    """Return how many numbers of which precision the constants hold, and how often each operator is there."""
    net = root(path)
    operators = Counter(layer.get("type", "") for layer in net.iter("layer"))
    precision: Counter[str] = Counter()
    for layer in constants(net):
        try:
            kind, shape, _, _ = placed(layer)
        except ValueError as error:
            raise _damaged(path, error) from error
        precision[np.dtype(kind).name if kind else "other"] += math.prod(shape)
    left_out = ("Const", "Parameter", "Result")
    return {
        "operators": {name: count for name, count in sorted(operators.items()) if name not in left_out},
        "parameters": sum(precision.values()),
        "precision": dict(precision.most_common()),
    }


def _damaged(path: Path, error: Exception) -> IsoformError:
    return IsoformError(f"{path}: not a whole OpenVINO IR ({error}).", "Export it again.", kind="damaged")
