"""PyTorch to TorchScript, by torch.jit.trace: the framework's own way, exact where shapes alone vary.

An answer that TorchScript has no type for, as the nested records of a library, becomes a tuple of its tensors.
"""

from pathlib import Path

import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, torch_source, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the traced module to ``target``.

    Raises:
        IsoformError: the traced graph answers otherwise than the module at sizes that were not traced.
    """
    module = torch_source.load(source)
    signature = source.signature
    example = examples.traced(torchscript.Named(module, signature), signature)
    with torch.no_grad():
        is_flat = not torchscript.has_type(torch_source.call(module, signature, example.inputs))
    torchscript.write(torchscript.Named(module, signature, is_flat=is_flat), signature, target)
