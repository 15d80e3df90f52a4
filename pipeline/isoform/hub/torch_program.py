"""An exported program as others see it: the signature that it states, and itself as a module of flat tensors."""

from typing import Any

import torch

from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.hub import torch_source


class FlatProgram(torch.nn.Module):
    """A program called with its tensors in order, whatever structure its arguments have; it answers with a row."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self._structure = program.call_spec.in_spec
        self._inner = program.module()

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Return the output tensors in order."""
        arguments, named = torch.utils._pytree.tree_unflatten(list(tensors), self._structure)
        return tuple(torch_source.flattened(self._inner(*arguments, **named)))


def signature_of(program: torch.export.ExportedProgram) -> Signature:
    """Return the signature that the program states: its symbols become names, the first outermost one `batch`."""
    values = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    names: dict[str, str] = {}
    inputs = tuple(_spec(str(name), values[str(name)], names) for name in program.graph_signature.user_inputs)
    # An output that is no tensor (None, a number) stands in the signature as itself.
    results = [values[result] for result in program.graph_signature.user_outputs if isinstance(result, str)]
    tensors = [result for result in results if isinstance(result, torch.Tensor)]
    named = zip(_output_names(program, len(tensors)), tensors, strict=True)
    return Signature(inputs, tuple(_spec(name, value, names) for name, value in named))


def _output_names(program: torch.export.ExportedProgram, count: int) -> tuple[str, ...]:
    """Return the keys of a flat dictionary, else output, or output_0, output_1 ..."""
    structure: Any = program.call_spec.out_spec
    keys = structure.context if structure.type is dict else []
    if len(keys) == count:
        return tuple(map(str, keys))
    return tuple(f"output_{index}" if count > 1 else "output" for index in range(count))


def _spec(name: str, value: torch.Tensor, names: dict[str, str]) -> TensorSpec:
    shape = tuple(_dim(size, name, axis, names) for axis, size in enumerate(value.shape))
    return TensorSpec(name, str(value.dtype).removeprefix("torch."), shape)


def _dim(size: Any, name: str, axis: int, names: dict[str, str]) -> Dim:
    if isinstance(size, int):
        return size
    wanted = "batch" if axis == 0 and "batch" not in names.values() else f"{name}_{axis}"
    return names.setdefault(str(size), wanted)
