"""ONNX to an exported program (.pt2): the hub's PyTorch module through torch.export, its dynamic sizes kept."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import graph, pt2, torchscript
from isoform.hub.emitters import torch as emitter


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the program ``target``.

    Raises:
        UnsupportedOperator: nodes that PyTorch has no form for here.
        IsoformError: an operator in a form that is not carried, or torch.export fails, freezes or bounds a dimension.
    """
    module = emitter.emit(graph.load_as_declared(source.model, source.signature))
    pt2.write(torchscript.Named(module, source.signature), source.signature, target)
