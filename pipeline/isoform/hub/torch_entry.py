"""Modules, ScriptModules and exported programs that this process holds, as hub graphs: what `isoform.hub` offers."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx_ir as ir
import torch

from isoform.core import spelling
from isoform.core.signature import Signature
from isoform.errors import UsageError
from isoform.hub import examples as example_inputs
from isoform.hub import (
    graph,
    pt2_archive,
    torch_bounds,
    torch_export,
    torch_graph,
    torch_program,
    torch_signature,
    torch_trace,
    torchscript,
)
from isoform.hub.examples import Example
from isoform.hub.torchscript import Named
from isoform.hub.torchscript_program import Interpreted

EXPORTERS = ("export", "trace")


def from_torch(
    module: torch.nn.Module,
    inputs: torch_signature.Inputs,
    dynamic_shapes: torch_signature.DynamicShapes = None,
    exporter: str = "export",
) -> ir.Model:
    """Return ``module`` as a hub graph by one of PyTorch's exporters; see `isoform.hub.from_torch`."""
    if exporter not in EXPORTERS:
        raise UsageError(f"There is no exporter '{exporter}'.", spelling.hint(exporter, EXPORTERS))
    with _evaluating(module):
        declared = torch_signature.of_inputs(module, inputs, dynamic_shapes)
        named = Named(module, declared, is_flat=True)
        traced, checked = example_inputs.traced(named, declared), example_inputs.checked(named, declared)
        signature = torch_signature.with_outputs(module, declared, [traced, *checked])
        if exporter == "trace":
            model = torch_trace.traced(named, signature, [traced.inputs, checked[0].inputs])
        else:
            program = torch_export.program(named, signature, traced.inputs)
            checked += torch_bounds.beyond(program, named, signature, traced)
            model = torch_export.to_onnx(program)
    torch_graph.finish(model, signature)
    prove(model, signature, checked)
    return model


def from_torchscript(
    program: str | Path | torch.jit.ScriptModule,
    inputs: torch_signature.Inputs,
    dynamic_shapes: torch_signature.DynamicShapes = None,
    exporter: str = "export",
) -> ir.Model:
    """Return a TorchScript program as a hub graph; see `isoform.hub.from_torchscript`."""
    if exporter not in EXPORTERS:
        raise UsageError(f"There is no exporter '{exporter}'.", spelling.hint(exporter, EXPORTERS))
    script = program if isinstance(program, torch.jit.ScriptModule) else torchscript.opened(Path(program))
    declared = torch_signature.of_inputs(script, inputs, dynamic_shapes)
    original = Named(script, declared, is_flat=True)
    traced, checked = example_inputs.traced(original, declared), example_inputs.checked(original, declared)
    signature = torch_signature.with_outputs(script, declared, [traced, *checked])
    if exporter == "trace":
        model = torch_trace.scripted(script, signature, traced.inputs)
    else:
        named = Named(Interpreted(script), signature, is_flat=True)
        exported = torch_export.program(named, signature, traced.inputs)
        checked += torch_bounds.beyond(exported, original, signature, traced)
        model = torch_export.to_onnx(exported)
    torch_graph.finish(model, signature)
    prove(model, signature, checked)
    return model


def from_exported_program(program: str | Path | torch.export.ExportedProgram) -> ir.Model:
    """Return a program of torch.export as a hub graph; see `isoform.hub.from_exported_program`."""
    if not isinstance(program, torch.export.ExportedProgram):
        program = pt2_archive.opened(Path(program))
    signature = torch_program.signature_of(program)
    checked = example_inputs.checked(torch_program.FlatProgram(program), signature)
    model = torch_export.to_onnx(program)
    torch_graph.finish(model, signature)
    prove(model, signature, checked)
    return model


def prove(model: ir.Model, signature: Signature, checked: Sequence[Example]) -> None:
    """Check that ``model`` answers as recorded in ``checked``; it is written to a temporary file for that."""
    with tempfile.TemporaryDirectory(prefix="isoform-") as folder:
        path = Path(folder) / "model.onnx"
        graph.save(model, path)
        torch_graph.prove(path, signature, checked)


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Put ``module`` into eval mode, and back."""
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for child, is_training in modes.items():
            child.training = is_training
