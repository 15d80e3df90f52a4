"""PyTorch to ONNX, by torch.export and PyTorch's newer exporter, the declared dynamic dimensions kept."""

import warnings
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import graph, torch_source, torchscript
from isoform.hub.passes.simplify import simplify

OPSET = 20


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: the exporter fails, or the graph lost an input, an output or a dynamic dimension.
    """
    module = torchscript.Named(torch_source.load(source), source.signature)
    model = _exported(module, source.signature)
    _name(model, source.signature)
    _shorten_weight_names(model)
    simplify(model)
    _refuse_frozen_axes(model, source.signature)
    graph.save(model, target)


def _exported(module: torch.nn.Module, signature: Signature) -> ir.Model:
    dims = {symbol: torch.export.Dim(symbol, min=1) for symbol in signature.symbols}
    shapes = {
        spec.name: {axis: dims[dim] for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in signature.inputs
    }
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's remarks on its own internals; the graph is checked below
            program = torch.onnx.export(
                module,
                torch_source.example(signature, torchscript.TRACED),
                dynamo=True,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                optimize=False,  # its optimiser freezes the length of stacked LSTMs at the traced size
                verbose=False,
            )
    except Exception as error:  # the exporter raises types of many packages; each names the step that failed
        raise IsoformError(
            f"torch.onnx.export failed: {_reason(error)}",
            "Make the operator it names exportable, or declare fewer dynamic dimensions.",
            kind="export",
        ) from error
    assert program is not None
    model: ir.Model = program.model
    return model


def _reason(error: BaseException) -> str:
    """Return the first telling line of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _name(model: ir.Model, signature: Signature) -> None:
    """Give inputs, outputs and their dynamic dimensions the names of the signature."""
    sides: tuple[tuple[str, Any, Any], ...] = (
        ("inputs", model.graph.inputs, signature.inputs),
        ("outputs", model.graph.outputs, signature.outputs),
    )
    for side, values, specs in sides:
        if len(values) != len(specs):
            raise IsoformError(
                f"The exported graph has {len(values)} {side}, the signature {len(specs)}.",
                "An unused input or an output of another kind was dropped: declare what is there.",
                kind="signature",
            )
        for value, spec in zip(values, specs, strict=True):
            if value.name != spec.name:
                value.name = spec.name
            found = [] if value.shape is None else list(value.shape)
            if len(found) == len(spec.shape):
                value.shape = ir.Shape(
                    [wanted if not isinstance(dim, int) else dim for wanted, dim in zip(spec.shape, found, strict=True)]
                )


def _shorten_weight_names(model: ir.Model) -> None:
    """Call weights as the state dict calls them, without the wrapper's prefix."""
    for value in list(model.graph.initializers.values()):
        if value.name and value.name.startswith("module."):
            value.name = value.name.removeprefix("module.")


def _refuse_frozen_axes(model: ir.Model, signature: Signature) -> None:
    for value, spec in zip(model.graph.inputs, signature.inputs, strict=True):
        for axis, (wanted, dim) in enumerate(zip(spec.shape, value.shape or (), strict=True)):
            if isinstance(wanted, str) and isinstance(dim, int):
                raise IsoformError(
                    f"The exporter froze axis {axis} of '{spec.name}' ('{wanted}') at {dim}.",
                    f"Declare it as fixed: --input '{spec.name}:...[{dim}]', or make the model accept other sizes.",
                    kind="frozen-axis",
                )
