"""PyTorch to an exported program (.pt2), by torch.export, the declared dimensions kept dynamic."""

from pathlib import Path

import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import (
    answers,
    examples,
    pt2_archive,
    torch_bounds,
    torch_export,
    torch_program,
    torch_source,
    torchscript,
)


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the program to ``target``.

    Raises:
        IsoformError: torch.export fails, freezes or bounds a dynamic dimension, or the program answers otherwise than
            the module at sizes that were not traced.
    """
    signature = source.signature
    module = torchscript.Named(torch_source.load(source), signature)
    traced, checked = examples.traced(module, signature), examples.checked(module, signature)
    program = torch_export.program(module, signature, traced.inputs, has_assertions=False)
    checked += torch_bounds.beyond(program, module, signature, traced)
    torch.export.save(program, str(target))
    try:
        _prove(target, signature, checked)
    except IsoformError:
        target.unlink()
        raise


@torch.no_grad()
def _prove(target: Path, signature: Signature, checked: list[examples.Example]) -> None:
    """Run the file at sizes that were not traced."""
    module = torch_program.FlatProgram(pt2_archive.opened(target))
    for example in checked:
        try:
            found = module(*example.inputs)
        except (RuntimeError, ValueError, AssertionError) as error:  # what programs raise for sizes they do not take
            raise IsoformError(
                f"The program does not run at {example}: {torch_export.reason(error)}",
                "Declare this dimension as fixed, or make the model accept every size.",
                kind="frozen-axis",
            ) from error
        for spec, wanted, tensor in zip(signature.outputs, example.outputs, found, strict=True):
            answers.compare(spec.name, example, wanted, tensor)
