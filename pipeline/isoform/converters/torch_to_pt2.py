"""PyTorch to an exported program (.pt2), by torch.export, the declared dimensions kept dynamic."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import pt2, torch_source, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the program to ``target``.

    Raises:
        IsoformError: torch.export fails, freezes or bounds a dynamic dimension, or the program answers otherwise than
            the module at sizes that were not traced.
    """
    pt2.write(torchscript.Named(torch_source.load(source), source.signature), source.signature, target)
