"""The PyTorch source: a module with its weights, called with tensors in signature order.

Shared by the runtime that gives the reference outputs and by the converters that start from PyTorch.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from isoform.core.artifact import Architecture, Artifact
from isoform.core.generation import draw
from isoform.core.protocols import Array, Perturbation
from isoform.core.signature import Signature, TensorSpec
from isoform.core.state_dict import differences
from isoform.errors import IsoformError
from isoform.hub import torch_structure
from isoform.hub.architecture import construct


def load(source: Artifact) -> torch.nn.Module:
    """Return the module of ``source`` in eval mode, its state dict loaded strictly.

    Raises:
        IsoformError: the factory fails, or keys or shapes of checkpoint and module differ.
    """
    if source.architecture is None:
        raise IsoformError(
            f"{source.model}: weights without the code of their network.",
            "Name the function that builds it: --arch model.py:build",
            kind="architecture",
        )
    module = build(source.architecture)
    _assign(source, module, _state(source))
    return module.eval()


def build(architecture: Architecture) -> torch.nn.Module:
    """Return the network that the user's code builds, with the weights it gives it.

    Raises:
        IsoformError: the code is not there, fails, or gives something else.
    """
    module = construct(architecture)
    if not isinstance(module, torch.nn.Module):
        raise IsoformError(
            f"'{architecture.factory}' returned {type(module).__name__}, not a torch.nn.Module.",
            "Return the module at the end of the function.",
            kind="architecture",
        )
    return module


def _state(source: Artifact) -> dict[str, torch.Tensor]:
    if not source.model.is_file():
        raise IsoformError(f"{source.model}: no such file.", "Check the path, or train the model first.")
    import safetensors.torch  # only checkpoints take it: a program is verified with PyTorch alone

    try:
        return dict(safetensors.torch.load_file(source.model))
    except Exception as error:  # safetensors raises a type of its own that its package does not export everywhere
        raise IsoformError(
            f"{source.model}: not a whole safetensors file ({str(error)[:200]}).", "Save it again.", kind="damaged"
        ) from error


def _assign(source: Artifact, module: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Put ``state`` in the place of the module's tensors: they stay mapped from the file, and ties stay ties.

    A copy into the module's own memory would be a second one of all weights.
    """
    wanted = module.state_dict(keep_vars=True)
    ties = _ties(wanted)
    for names in ties:
        _share(source, names, state)
    _refuse_other_keys(source, wanted, state)
    module.load_state_dict(
        {name: tensor.to(wanted[name].dtype) for name, tensor in state.items()}, strict=True, assign=True
    )
    for first, *others in ties:
        tensor = _owner(module, first)[0].get_parameter(_owner(module, first)[1])
        for name in others:
            setattr(*_owner(module, name), tensor)


def _ties(tensors: Mapping[str, torch.Tensor]) -> list[list[str]]:
    """Return the names of parameters that are one and the same tensor, each such group in order."""
    groups: dict[int, list[str]] = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, torch.nn.Parameter):
            groups.setdefault(id(tensor), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _owner(module: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    path, _, attribute = name.rpartition(".")
    return module.get_submodule(path), attribute


def _share(source: Artifact, names: Sequence[str], state: dict[str, torch.Tensor]) -> None:
    """Give every name of a tie the one tensor that the file has for it; files often hold it once."""
    there = [name for name in names if name in state]
    for name in there[1:]:
        if not torch.equal(state[there[0]], state[name]):
            raise IsoformError(
                f"{source.model.name}: '{there[0]}' and '{name}' are one tensor in the network and two in the file.",
                "Save the checkpoint of this very network.",
                kind="state-dict",
            )
    for name in names if there else ():
        state[name] = state[there[0]]


def _refuse_other_keys(source: Artifact, wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    problems = differences(_shapes(wanted), _shapes(found))
    if problems:
        raise IsoformError(
            f"{source.model.name} does not fit the network; {'; '.join(problems)}.",
            "Check --arch and its arguments, or save the checkpoint of this very network.",
            kind="state-dict",
        )


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


class _Disturbances:
    """Uniform numbers in ±magnitude, each request read from another place on: drawing takes longer than using them."""

    _OFFSETS = 1 << 16

    def __init__(self, perturbation: Perturbation) -> None:
        self._generator = torch.Generator().manual_seed(perturbation.seed)
        self._magnitude = perturbation.magnitude
        self._drawn = torch.empty(0)

    def like(self, value: torch.Tensor) -> torch.Tensor:
        size = value.numel() + self._OFFSETS
        if self._drawn.numel() < size or self._drawn.dtype != value.dtype:
            numbers = torch.rand(size, generator=self._generator, dtype=value.dtype)
            self._drawn = numbers.mul_(2).sub_(1).mul_(self._magnitude)
        start = int(torch.randint(self._OFFSETS, (), generator=self._generator))
        return self._drawn[start : start + value.numel()].view(value.shape)


@torch.no_grad()
def disturb(module: torch.nn.Module, perturbation: Perturbation) -> None:
    """Multiply every float weight by 1+d, d uniform in ±magnitude, drawn from the perturbation's seed."""
    generator = torch.Generator().manual_seed(perturbation.seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            d = torch.rand(tensor.shape, generator=generator, dtype=torch.float64).mul_(2).sub_(1)
            tensor.mul_(d.mul_(perturbation.magnitude).add_(1).to(tensor.dtype))


def disturb_layers(module: torch.nn.Module, perturbation: Perturbation) -> None:
    """Let what every layer with weights gives be disturbed as its weights are, anew in each call: rounding is there.

    Disturbed weights alone do not say what a normalisation makes of a constant image, which stays constant under them.
    """
    drawn = _Disturbances(perturbation)

    def disturbed(value: Any) -> Any:
        is_number = isinstance(value, torch.Tensor) and value.is_floating_point()
        return torch.addcmul(value, value, drawn.like(value)) if is_number else value

    def hook(layer: torch.nn.Module, given: Any, result: Any) -> Any:
        return tuple(map(disturbed, result)) if type(result) is tuple else disturbed(result)

    for layer in module.modules():
        if any(True for _ in layer.parameters(recurse=False)):
            layer.register_forward_hook(hook)


def call(module: torch.nn.Module, signature: Signature, given: Sequence[torch.Tensor]) -> Any:
    """Return what ``module`` answers to tensors in signature order; see `torch_structure.arguments`.

    A forward with optional arguments is called right although some of them are not inputs.
    """
    named = dict(zip([spec.name for spec in signature.inputs], given, strict=True))
    positional, by_name = torch_structure.arguments(module, named)
    return module(*positional, **by_name)


def tensors(signature: Signature, inputs: Mapping[str, Array]) -> tuple[torch.Tensor, ...]:
    """Return the inputs as tensors in signature order; the arrays are not shared."""
    return tuple(torch.from_numpy(np.array(inputs[spec.name])) for spec in signature.inputs)


def named(signature: Signature, outputs: Any) -> dict[str, Array]:
    """Return what a module answered by output name, nested structures flattened in order.

    Raises:
        IsoformError: the module gives another number of tensors than the signature names.
    """
    flat = flattened(outputs)
    if len(flat) != len(signature.outputs):
        raise IsoformError(
            f"The model gives {len(flat)} tensors, the signature names {len(signature.outputs)} outputs.",
            "Declare every output, in order.",
            kind="signature",
        )
    return {spec.name: tensor.detach().numpy().copy() for spec, tensor in zip(signature.outputs, flat, strict=True)}


def flattened(outputs: Any) -> list[torch.Tensor]:
    """Return the tensors of a nested answer in order."""
    return [tensor for _, tensor in torch_structure.named_tensors(outputs)]


def example(signature: Signature, sizes: Sequence[int], seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Return random inputs of the `sizes`; floats are in [0, 1) for an even seed, else Gaussian."""
    symbols = dict(zip(signature.symbols, _endless(sizes), strict=False))
    rng = np.random.default_rng(seed)
    kind = "gaussian" if seed % 2 else "representative"
    return tuple(_tensor(spec, draw(spec, kind, spec.sizes(symbols), rng)) for spec in signature.inputs)


def sizes(signature: Signature, given: Sequence[int]) -> dict[str, int]:
    """Return the size of each dynamic dimension in `example`."""
    return dict(zip(signature.symbols, _endless(given), strict=False))


def _endless(sizes: Sequence[int]) -> Iterator[int]:
    """Yield ``sizes``, then each of them doubled, and so on, for signatures with more dimensions than they are."""
    return (size << turn for turn in itertools.count() for size in sizes)


def _tensor(spec: TensorSpec, array: Array) -> torch.Tensor:
    return torch.from_numpy(array).to(getattr(torch, spec.dtype))  # NumPy has no bfloat16
