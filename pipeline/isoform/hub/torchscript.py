"""Writing a module as TorchScript: argument names kept, traced once, checked at sizes that were not traced."""

import inspect
import keyword
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import examples, torch_source
from isoform.hub.torch_experts import gathered_experts

_RTOL, _ATOL = 1e-4, 1e-5
"""Only a graph that took another path is to be found here: parity is judged afterwards, with its own method."""


class Named(torch.nn.Module):
    """A module behind arguments called as the signature calls its inputs.

    Args:
        is_flat: answer with the tensors of the module's answer in a row, whatever holds them there.

    Raises:
        IsoformError: a name that cannot be that of an argument.
    """

    def __init__(self, module: torch.nn.Module, signature: Signature, *, is_flat: bool = False) -> None:
        super().__init__()
        self.module = module
        self.training = module.training  # an exporter that leaves eval mode afterwards goes by the outermost module
        names = [spec.name for spec in signature.inputs]
        for name in names:
            if not name.isidentifier() or keyword.iskeyword(name):
                raise IsoformError(
                    f"'{name}' cannot be the name of an argument in TorchScript.",
                    "Rename this input: letters, digits and underscores.",
                    kind="signature",
                )

        def forward(*tensors: torch.Tensor) -> Any:
            with gathered_experts(module):
                outputs = torch_source.call(module, signature, tensors)
            return tuple(torch_source.flattened(outputs)) if is_flat else outputs

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        # torch.jit.trace takes the names from here; fixed arguments in the code would need a name each.
        forward.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
        self.forward = forward


def has_type(answer: Any) -> bool:
    """Return whether TorchScript has a type for ``answer``: tensors, lists and dictionaries of them, tuples of such."""
    if isinstance(answer, tuple):
        return all(has_type(inner) for inner in answer)
    if isinstance(answer, (list, Mapping)):
        inner = answer.values() if isinstance(answer, Mapping) else answer
        return all(isinstance(each, torch.Tensor) for each in inner)
    return isinstance(answer, torch.Tensor)


def opened(path: Path) -> torch.jit.ScriptModule:
    """Return the program in ``path``, in eval mode.

    Raises:
        IsoformError: libtorch refuses the file.
    """
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"libtorch does not open {path.name}: {reason}", "Export the model again.", kind="load"
        ) from error


def write(module: torch.nn.Module, signature: Signature, target: Path) -> None:
    """Trace ``module`` and save it to ``target``.

    Raises:
        IsoformError: a name that cannot be an argument, a failed trace, or other answers at other sizes.
    """
    with torch.no_grad():
        traced = _traced(module, examples.traced(module, signature))
        for example in examples.checked(module, signature):
            _compare(traced, example)
    torch.jit.save(traced, str(target))


def _traced(module: torch.nn.Module, example: examples.Example) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # the comparison below is what decides
        try:
            return torch.jit.trace(module, example.inputs, check_trace=False, strict=False)
        except (RuntimeError, TypeError) as error:
            reason = str(error).strip().splitlines()[0][:300]
            raise IsoformError(f"torch.jit.trace failed: {reason}", "Export to ONNX instead.", kind="trace") from error


def _compare(traced: torch.jit.ScriptModule, example: examples.Example) -> None:
    try:
        found = torch_source.flattened(traced(*example.inputs))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:300]
        raise IsoformError(
            f"The traced graph does not run at {example}: {reason}",
            "A size was frozen while tracing; make the model compute it from its inputs.",
            kind="frozen-axis",
        ) from error
    for one, other in zip(example.outputs, found, strict=True):
        if one.shape != other.shape or not torch.allclose(one, other, rtol=_RTOL, atol=_ATOL, equal_nan=True):
            raise IsoformError(
                f"The traced graph answers otherwise than the module at {example}.",
                "Control flow or a size was frozen while tracing; export to ONNX instead.",
                kind="frozen-axis",
            )
