"""The hub graph: opening one from a path or a proto, shapes inferred, and writing it down.

Weights stay where they are: those beside a file are memory-mapped, and never pass through a proto when large.
"""

from pathlib import Path
from typing import TypeAlias

import onnx
import onnx_ir as ir

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub.external_data import open_weights
from isoform.hub.passes.share_weights import share_weights
from isoform.hub.proto_checks import refuse_contradictions
from isoform.hub.shape_inference import forget_shapes, infer_shapes

__all__ = ["Graph", "forget_shapes", "infer_shapes", "load", "load_as_declared", "save", "weight_bytes"]

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
        proto = onnx.load(path, format="protobuf", load_external_data=False)
        refuse_contradictions(proto, path)
        model = ir.from_proto(proto)
        ir.external_data.set_base_dir(model.graph, path.parent)
    except IsoformError:
        raise
    except Exception as error:  # protobuf and onnx_ir raise many types for bytes that are no model
        raise IsoformError(
            f"{path}: not an ONNX model ({(str(error).splitlines() or [type(error).__name__])[0][:200]})",
            "Export it again.",
            kind="damaged",
        ) from error
    if not model.graph.outputs:
        raise IsoformError(f"{path}: a graph without outputs.", "The file is empty or truncated.", kind="damaged")
    open_weights(model, path)
    return _with_own_names(model)


def load_as_declared(path: Path, signature: Signature) -> ir.Model:
    """Return the graph at ``path``, its inputs of the sizes that ``signature`` fixes: what is not dynamic is folded.

    Raises:
        IsoformError: as `load`.
    """
    model = load(path)
    shapes = {spec.name: spec.shape for spec in signature.inputs}
    for value in model.graph.inputs:
        declared = shapes.get(str(value.name))
        if declared is not None and value.shape is not None and len(value.shape) == len(declared):
            sizes = zip(declared, value.shape, strict=True)
            value.shape = ir.Shape([size if isinstance(size, int) else dim for size, dim in sizes])
    return model


def _with_own_names(model: ir.Model) -> ir.Model:
    """Return ``model`` with tensors of its own around the proto's data, for passes to rename and to know again.

    A size below zero, as Paddle's exporter writes one, is one that nobody knows.
    """
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is not None and any(isinstance(dim, int) and dim < 0 for dim in value.shape):
            value.shape = ir.Shape([None if isinstance(dim, int) and dim < 0 else dim for dim in value.shape])
    for each in model.graphs():
        for value in each.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.dtype != ir.DataType.STRING and not isinstance(tensor, ir.ExternalTensor):
                value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)
    return model


def save(model: ir.Model, path: Path, *, is_shared: bool = True) -> None:
    """Write ``model`` to ``path``; large weights are streamed to ``<path>.data`` beside it.

    Args:
        is_shared: weights that are one in memory are written once, under one of their names.
    """
    model = share_weights(model) if is_shared else model
    if weight_bytes(model) > LARGEST_INLINE_BYTES:
        ir.save(model, path, external_data=f"{path.name}.data", size_threshold_bytes=_SMALLEST_EXTERNAL_BYTES)
    else:
        ir.save(model, path)


def weight_bytes(model: ir.Model) -> int:
    """Return the size of all initialisers."""
    return sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value is not None)
