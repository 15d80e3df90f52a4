"""ONNX to TorchScript: the hub's PyTorch module, traced with its dynamic sizes kept."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph, torchscript
from isoform.hub.emitters import torch as emitter


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the TorchScript file ``target``.

    Raises:
        UnsupportedOperator: nodes that PyTorch has no form for here.
        IsoformError: an operator in a form that is not carried, or a size that was frozen while tracing.
    """
    module = emitter.emit(graph.load_as_declared(source.model, source.signature))
    torchscript.write(torchscript.Named(module, source.signature), source.signature, target)
