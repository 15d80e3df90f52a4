"""A file in ONNX Runtime's own format, read with NumPy alone: its graph's tables, and the weights in them.

Field numbers: onnxruntime/core/flatbuffers/schema/ort.fbs. Weights stand in the file, one vector of bytes a tensor, and
are views of it. Not aware of what operators do.
"""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.errors import IsoformError
from isoform.intake.flatbuffer import Table
from isoform.intake.onnx_tensors import DTYPES

Array = npt.NDArray[Any]
IDENTIFIER = b"ORTM"
SESSION_MODEL = 1
MODEL_IR_VERSION, MODEL_OPSETS, MODEL_GRAPH = 0, 1, 7
OPSET_DOMAIN, OPSET_VERSION = 0, 1
GRAPH_INITIALIZERS, GRAPH_VALUES, GRAPH_NODES, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_SPARSE = 0, 1, 2, 5, 6, 7
NODE_NAME, NODE_DOMAIN, NODE_TYPE, NODE_INPUTS, NODE_OUTPUTS, NODE_ATTRIBUTES = 0, 2, 5, 8, 9, 10
ATTRIBUTE_NAME, ATTRIBUTE_TYPE, ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 0, 2, 6, 7, 12
TENSOR_NAME, TENSOR_DIMS, TENSOR_TYPE, TENSOR_RAW, TENSOR_STRINGS, TENSOR_EXTERNAL = 0, 2, 3, 4, 5, 6


def model(path: Path) -> Table:
    """Return the table of the model in the file ``path``.

    Raises:
        IsoformError: the file is not in ORT format, or its model is not there.
    """
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if data[4:8] != IDENTIFIER:
                raise ValueError("it does not bear the mark ORTM")
            found = Table.root(data).table(SESSION_MODEL)
            if found is None:
                raise ValueError("there is no model in it")
        except ValueError as error:
            raise damaged(path, error) from error
    return found


def damaged(path: Path, error: Exception) -> IsoformError:
    """Return the error for a file that cannot be read."""
    return IsoformError(f"{path}: not a whole ORT model ({error}).", "Export it again.", kind="damaged")


def weights(path: Path) -> dict[str, Array]:
    """Return the initialisers of the graph and of its inner graphs by name; ONNX Runtime has no other constants.

    Types that NumPy has not, and text, are left out. A name that another graph has used already gets a number.

    Raises:
        IsoformError: the file is not a whole ORT model.
    """
    whole = model(path)
    found: dict[str, Array] = {}
    try:
        graph = whole.table(MODEL_GRAPH)
        for name, tensor in _of_graph(graph) if graph is not None else ():
            found[name if name not in found else f"{name}#{len(found)}"] = tensor
        return found
    except (ValueError, UnicodeDecodeError) as error:
        raise damaged(path, error) from error


def _of_graph(graph: Table) -> Iterator[tuple[str, Array]]:
    for tensor in graph.tables(GRAPH_INITIALIZERS):
        kind = tensor.number(TENSOR_TYPE, "<i", 0)
        if kind in DTYPES:
            yield tensor.text(TENSOR_NAME), array(tensor, np.dtype(DTYPES[kind]))
    for node in graph.tables(GRAPH_NODES):
        for attribute in node.tables(NODE_ATTRIBUTES):
            for inner in inner_graphs(attribute):
                yield from _of_graph(inner)


def inner_graphs(attribute: Table) -> Iterator[Table]:
    """Yield the graphs that an attribute holds."""
    one = attribute.table(ATTRIBUTE_GRAPH)
    if one is not None:
        yield one
    yield from attribute.tables(ATTRIBUTE_GRAPHS)


def array(tensor: Table, dtype: np.dtype[Any]) -> Array:
    """Return what a tensor holds, a view of the file.

    Raises:
        ValueError: it is kept outside of the file, or has more or fewer bytes than its shape takes.
    """
    name = tensor.text(TENSOR_NAME)
    if tensor.number(TENSOR_EXTERNAL, "<q", -1) >= 0:
        raise ValueError(f"'{name}' is kept outside of the file")
    shape = tuple(map(int, tensor.numbers(TENSOR_DIMS, "<i8")))
    raw = tensor.numbers(TENSOR_RAW, "u1")
    if any(size < 0 for size in shape) or raw.nbytes != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"'{name}' of shape {list(shape)} has {raw.nbytes} bytes")
    return raw.view(dtype).reshape(shape)
