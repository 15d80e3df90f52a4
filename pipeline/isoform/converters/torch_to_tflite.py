"""PyTorch to TFLite by litert-torch, where it is installed: fixed shapes only, as its compiler knows no others."""

from pathlib import Path

import litert_torch
import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.errors import IsoformError
from isoform.hub import examples, torch_source, torchscript


class Answering(torch.nn.Module):
    """A module that takes its inputs by name and answers with its outputs by name, as the signature calls them."""

    def __init__(self, source: Artifact) -> None:
        super().__init__()
        self.module = torchscript.Named(torch_source.load(source), source.signature, is_flat=True)
        self._inputs = [spec.name for spec in source.signature.inputs]
        self._outputs = [spec.name for spec in source.signature.outputs]

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = self.module(*(inputs[name] for name in self._inputs))
        return dict(zip(self._outputs, outputs, strict=True))


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the file ``target``, names kept and integers of 64 bits left as they are.

    Raises:
        IsoformError: a dimension is dynamic, or litert-torch fails.
    """
    signature = source.signature
    if signature.symbols:
        raise IsoformError(
            f"litert-torch writes fixed shapes only, and {', '.join(signature.symbols)} is dynamic.",
            "Give every axis a number with --input to go this way.",
            kind="frozen-axis",
        )
    module = Answering(source).eval()
    inputs = examples.traced(module.module, signature).inputs
    names = [spec.name for spec in signature.inputs]
    try:
        model = litert_torch.convert(
            module, sample_kwargs=dict(zip(names, inputs, strict=True)), enable_x64=True, lightweight_conversion=True
        )
        model.export(str(target))
    except Exception as error:  # its compiler, PyTorch's exporter and JAX raise types of their own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise IsoformError(
            f"litert-torch: {lines[0][:300]}", "See the log of the step; the other routes do without it."
        ) from error
