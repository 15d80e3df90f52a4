"""The hub graph: opening one from a path or a proto, shapes inferred, and writing it down.

Weights stay where they are: those beside a file are memory-mapped, and never pass through a proto when large.
"""

import logging
from pathlib import Path
from typing import TypeAlias

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from isoform.errors import IsoformError
from isoform.hub.external_data import open_weights

Graph: TypeAlias = str | Path | onnx.ModelProto | ir.Model
LARGEST_INLINE_BYTES = 100 << 20
"""Weights beyond this go to a file of their own: protobuf ends at 2 GiB, and parsing copies what is inline."""
_SMALLEST_EXTERNAL_BYTES = 1024


def load(graph: Graph) -> ir.Model:
    """Return the graph as onnx_ir.Model, its weights mapped lazily.

    Raises:
        IsoformError: the file is not there, or is not an ONNX model.
    """
    if isinstance(graph, ir.Model):
        return graph
    if isinstance(graph, onnx.ModelProto):
        return _with_own_names(ir.from_proto(graph))
    path = Path(graph)
    if not path.is_file():
        raise IsoformError(f"{path}: no such file.", "Check the path.", kind="no-file")
    try:
        model = ir.load(path)
    except Exception as error:  # protobuf and onnx_ir raise many types for bytes that are no model
        raise IsoformError(
            f"{path}: not an ONNX model ({str(error).splitlines()[0][:200]})", "Export it again.", kind="damaged"
        ) from error
    if not model.graph.outputs:
        raise IsoformError(f"{path}: a graph without outputs.", "The file is empty or truncated.", kind="damaged")
    open_weights(model, path)
    return model


def _with_own_names(model: ir.Model) -> ir.Model:
    """Return ``model`` with tensors of its own around the proto's data, for passes to rename."""
    for each in model.graphs():
        for value in each.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.dtype != ir.DataType.STRING:
                value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)
    return model


def save(model: ir.Model, path: Path) -> None:
    """Write ``model`` to ``path``; large weights are streamed to ``<path>.data`` beside it."""
    if weight_bytes(model) > LARGEST_INLINE_BYTES:
        ir.save(model, path, external_data=f"{path.name}.data", size_threshold_bytes=_SMALLEST_EXTERNAL_BYTES)
    else:
        ir.save(model, path)


def weight_bytes(model: ir.Model) -> int:
    """Return the size of all initialisers."""
    return sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value is not None)


def infer_shapes(model: ir.Model) -> None:
    """Fill in the shape and dtype of every value that can be known, symbolic dimensions kept, in place.

    Raises:
        IsoformError: ONNX' inference breaks off, as where an opset is missing.
    """
    failures = _Failures()
    log = logging.getLogger(common.ShapeInferencePass.__module__)
    before, log.propagate = log.propagate, False
    log.addHandler(failures)
    try:
        # Not strict: what one operator does not tell must not cost the shapes of all others.
        common.ShapeInferencePass(check_type=False, strict_mode=False)(model)
    finally:
        log.removeHandler(failures)
        log.propagate = before
    if failures.errors:
        reason = str(failures.errors[0]).strip().splitlines()[0][:300]
        raise IsoformError(
            f"Shape inference breaks off: {reason}", "Check the graph with onnx.checker.", kind="invalid-graph"
        ) from failures.errors[0]


class _Failures(logging.Handler):
    """Keeps the exceptions that the pass logs instead of raising them."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])
