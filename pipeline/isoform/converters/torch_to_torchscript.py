"""PyTorch to TorchScript, by torch.jit.trace: the framework's own way, exact where shapes alone vary."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import torch_source, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the traced module to ``target``.

    Raises:
        IsoformError: the traced graph answers otherwise than the module at sizes that were not traced.
    """
    module = torch_source.load(source)
    torchscript.write(torchscript.Named(module, source.signature), source.signature, target)
