"""The signature of a module that is at hand: from example inputs, the axes declared dynamic, and what it answers."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch

from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import UsageError
from isoform.hub import torch_source
from isoform.hub.examples import Example

Inputs: TypeAlias = torch.Tensor | Sequence[torch.Tensor] | Mapping[str, torch.Tensor]
Axes: TypeAlias = Mapping[int, Any]
DynamicShapes: TypeAlias = Mapping[str, Axes | None] | Sequence[Axes | None] | None


def of_inputs(module: torch.nn.Module, inputs: Inputs, dynamic_shapes: DynamicShapes) -> Signature:
    """Return the signature of ``module``, its outputs not known yet.

    Args:
        inputs: example tensors by argument name, or in the order of the arguments.
        dynamic_shapes: by input, the name of each dynamic axis: a word, or a torch.export.Dim.

    Raises:
        UsageError: an input that is no tensor, or axes for an input that is not there.
    """
    tensors = _by_name(module, inputs)
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise UsageError(
                f"The input '{name}' is {type(tensor).__name__}, not a tensor.",
                "Give tensors only; bind the other arguments first, for example with functools.partial.",
            )
    axes = _axes(tensors, dynamic_shapes)
    return Signature(tuple(_spec(name, tensor, axes.get(name) or {}) for name, tensor in tensors.items()), ())


def with_outputs(module: torch.nn.Module, signature: Signature, examples: Sequence[Example]) -> Signature:
    """Return ``signature`` with the outputs that ``module`` gave in ``examples``: an axis that varies gets its name."""
    with torch.no_grad():
        answer = torch_source.call(module, signature, examples[0].inputs)
    names = list(answer) if isinstance(answer, Mapping) else []
    count = len(examples[0].outputs)
    if len(names) != count:
        names = [f"output_{index}" if count > 1 else "output" for index in range(count)]
    taken = {spec.name for spec in signature.inputs}
    specs = []
    for index, key in enumerate(names):
        name = f"{key}_output" if key in taken else str(key)
        shapes = [tuple(example.outputs[index].shape) for example in examples]
        dtype = str(examples[0].outputs[index].dtype).removeprefix("torch.")
        specs.append(TensorSpec(name, dtype, _dims(name, shapes, examples)))
    return replace(signature, outputs=tuple(specs))


def _by_name(module: torch.nn.Module, inputs: Inputs) -> dict[str, torch.Tensor]:
    if isinstance(inputs, Mapping):
        return dict(inputs)
    row = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs)
    names = [name for name in argument_names(module) if name not in ("args", "kwargs")]
    if len(names) < len(row):
        names = [f"input_{index}" if len(row) > 1 else "input" for index in range(len(row))]
    return dict(zip(names, row, strict=False))


def argument_names(module: torch.nn.Module) -> list[str]:
    """Return the names of the arguments of ``module.forward``, in order."""
    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name for argument in module.forward.schema.arguments[1:]]
    return list(inspect.signature(module.forward).parameters)


def _axes(tensors: Mapping[str, torch.Tensor], dynamic_shapes: DynamicShapes) -> Mapping[str, Axes | None]:
    if dynamic_shapes is None:
        return {}
    named = dynamic_shapes
    if not isinstance(named, Mapping):
        named = dict(zip(tensors, named, strict=False))
    unknown = sorted(set(named) - set(tensors))
    if unknown:
        raise UsageError(
            f"dynamic_shapes names '{unknown[0]}', which is no input.", f"The inputs: {', '.join(tensors)}."
        )
    return named


def _spec(name: str, tensor: torch.Tensor, axes: Axes) -> TensorSpec:
    shape: list[Dim] = list(tensor.shape)
    for axis, dim in axes.items():
        if dim is not None:
            shape[axis] = dim if isinstance(dim, str) else str(getattr(dim, "__name__", f"{name}_{axis}"))
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype == torch.bool or tensor.is_floating_point() or not tensor.numel():
        return TensorSpec(name, dtype, tuple(shape))
    return TensorSpec(name, dtype, tuple(shape), low=int(tensor.min()), high=int(tensor.max()) + 1)


def _dims(name: str, shapes: Sequence[tuple[int, ...]], examples: Sequence[Example]) -> tuple[Dim, ...]:
    """Return a fixed size for each axis that keeps it in every example, else the dimension that it follows."""
    dims: list[Dim] = []
    for axis, sizes in enumerate(zip(*shapes, strict=True)):
        followed = [
            symbol
            for symbol in examples[0].sizes
            if all(example.sizes[symbol] == size for example, size in zip(examples, sizes, strict=True))
        ]
        dims.append(sizes[0] if len(set(sizes)) == 1 and not followed else (followed or [f"{name}_{axis}"])[0])
    return tuple(dims)
