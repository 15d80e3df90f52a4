"""Writing a module as an exported program (.pt2): dimensions kept dynamic, checked at sizes that were not traced."""

from pathlib import Path

import torch

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import answers, examples, pt2_archive, torch_bounds, torch_export, torch_program

_EXCLUDES = " != "
"""In the text of a guard."""


def write(module: torch.nn.Module, signature: Signature, target: Path) -> None:
    """Write ``module`` to ``target``.

    Args:
        module: with one argument an input, under the signature's names.

    Raises:
        IsoformError: torch.export fails, freezes or bounds a dynamic dimension, or the program answers otherwise than
            the module at sizes that were not traced.
    """
    traced, checked = examples.traced(module, signature), examples.checked(module, signature)
    program = torch_export.program(module, signature, traced.inputs, has_assertions=False)
    checked += torch_bounds.beyond(program, module, signature, traced)
    checked += _of_one(program, module, signature, traced)
    torch.export.save(program, str(target))
    try:
        _prove(target, signature, checked)
    except IsoformError:
        target.unlink()
        raise


def _of_one(
    program: torch.export.ExportedProgram, module: torch.nn.Module, signature: Signature, traced: examples.Example
) -> list[examples.Example]:
    """Let the program run at the single sizes that it excludes, and return what ``module`` answers at sizes of one.

    PyTorch (2.13) excludes a size of one where it asked how memory lies, which is the same for either answer.
    """
    kept = [guard for guard in program._guards_code if _EXCLUDES not in guard]
    if kept == program._guards_code:
        return []
    program._guards_code = kept
    found = (examples.tried(module, signature, {**traced.sizes, symbol: 1}) for symbol in signature.symbols)
    return [example for example in found if example is not None]


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
        answers.compare(signature, example, found)
