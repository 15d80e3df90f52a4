"""Signatures read from TensorFlow: which names its axes get, and what the outputs of a graph are known to be."""

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from isoform.core.signature import Dim, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph

_AXES = {2: {1: "length"}, 3: {1: "length"}, 4: {1: "height", 2: "width"}, 5: {1: "depth", 2: "height", 3: "width"}}
"""What an open axis behind the batch is usually called, by the rank of the tensor."""


def input_spec(name: str, spec: Any, *, is_only: bool) -> TensorSpec:
    """Return an input as a tf.TensorSpec declares it, open axes named; the first one of all inputs is the batch.

    Args:
        is_only: whether there is one input; open axes of several get the input's name, since they may differ.

    Raises:
        IsoformError: its rank is not known, or it holds what is no number.
    """
    if spec.shape.rank is None:
        raise IsoformError(
            f"'{name}' has no known rank.", "Give the function an input_signature with shapes.", kind="signature"
        )
    rank = spec.shape.rank
    dims: list[Dim] = [
        size if size is not None else _axis(name, rank, axis, is_only=is_only) for axis, size in enumerate(spec.shape)
    ]
    return TensorSpec(name, dtype_name(name, spec.dtype), tuple(dims))


def output_spec(name: str, tensor: Any) -> TensorSpec:
    """Return an output as it was traced; open axes get names of their own."""
    if tensor.shape.rank is None:
        raise IsoformError(
            f"The rank of the output '{name}' is not known when the function is traced.",
            "Give it a shape: tf.ensure_shape.",
            kind="signature",
        )
    dims = tuple(size if size is not None else _open(name, axis) for axis, size in enumerate(tensor.shape))
    return TensorSpec(name, dtype_name(name, tensor.dtype), dims)


def dtype_name(name: str, dtype: Any) -> str:
    """Return the name of a tf.DType.

    Raises:
        IsoformError: it is text, or nothing that ONNX has.
    """
    found = str(dtype.name)
    if found in ("string", "resource", "variant") or found.startswith(("complex", "q")):
        raise IsoformError(
            f"'{name}' is of dtype {found}: only tensors of numbers have an ONNX form here.",
            "Export the part of the model that takes and returns numbers.",
            kind="dtype",
        )
    return found


def name_output_axes(model: ir.Model, open_specs: Sequence[TensorSpec], symbols: Sequence[str]) -> None:
    """Call open axes of outputs as the input axes are called whose size they follow, as far as ONNX can tell."""
    wanted = set(symbols)
    for value, spec in zip(model.graph.outputs, open_specs, strict=True):
        value.shape = ir.Shape([dim if isinstance(dim, int) else None for dim in spec.shape])
    hub_graph.infer_shapes(model)
    for value, spec in zip(model.graph.outputs, open_specs, strict=True):
        found = list(value.shape or spec.shape)
        dims = [
            dim.value if isinstance(dim, ir.SymbolicDim) and dim.value in wanted else declared
            for dim, declared in zip(found, spec.shape, strict=True)
        ]
        value.shape = ir.Shape(dims)


def _axis(name: str, rank: int, axis: int, *, is_only: bool) -> str:
    if axis == 0:
        return "batch"
    usual = _AXES.get(rank, {}).get(axis, f"dim_{axis}")
    return usual if is_only else f"{_word(name)}_{usual}"


def _open(name: str, axis: int) -> str:
    return f"{_word(name)}_dim_{axis}"


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
