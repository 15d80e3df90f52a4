"""Eager PyTorch: the source as its framework runs it, in float32 or in float64. It gives the reference outputs."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import examples, float64, torch_reach, torch_source


class EagerSession:
    """A module in eval mode, called in signature order.

    What a network makes on the way without saying of which type, a mask or a range, is made in ``dtype``; in float64,
    so is what it says to be float32.
    """

    def __init__(self, module: torch.nn.Module, signature: Signature, dtype: torch.dtype) -> None:
        self._module = module
        self._dtype = dtype
        self.signature = signature

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors."""
        tensors = torch_source.tensors(self.signature, inputs)
        return Bound.of(lambda: self._called(tensors), functools.partial(torch_source.named, self.signature))

    @torch.no_grad()
    def _called(self, tensors: Sequence[torch.Tensor]) -> Any:
        with _default_dtype(self._dtype), float64.widened() if self._dtype == torch.float64 else nullcontext():
            return torch_source.call(self._module, self.signature, tensors)

    def close(self) -> None:
        del self._module


def load(artifact: Artifact, options: RunOptions) -> EagerSession:
    """Build the network of ``artifact`` and load its weights."""
    if options.device != "cpu":
        raise IsoformError("The source runs on the CPU here.", "Leave out the device.", kind="no-device")
    if options.threads:
        torch.set_num_threads(options.threads)
    module = torch_source.load(artifact)
    if options.is_float64:
        module = module.double()
    if options.perturbation is not None:
        torch_source.disturb(module, options.perturbation)
        torch_source.disturb_layers(module, options.perturbation)
    return EagerSession(module, artifact.signature, torch.float64 if options.is_float64 else torch.get_default_dtype())


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the parameters and buffers of the state dict by name."""
    return {name: tensor.numpy() for name, tensor in torch_source.load(artifact).state_dict().items()}


def unused(artifact: Artifact) -> list[str]:
    """Return the names of the weights that no output depends on, as far as one call shows."""
    module = torch_source.load(artifact)
    for parameter in module.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    call = functools.partial(_called, module, artifact.signature)
    inputs = examples.traced(call, artifact.signature).inputs
    with torch.enable_grad():
        outputs = torch_source.flattened(call(*inputs))
    unused = torch_reach.unused_parameters(module, outputs)
    return unused + torch_reach.unused_buffers(module, lambda: torch_source.flattened(call(*inputs)))


def rows_read(artifact: Artifact) -> dict[str, list[int]]:
    """Return which rows of tables that are read in part an output depends on, as far as one call shows."""
    module = torch_source.load(artifact)
    call = functools.partial(_called, module, artifact.signature)

    def outputs() -> list[torch.Tensor]:
        return torch_source.flattened(call(*examples.traced(call, artifact.signature).inputs))

    return torch_reach.rows_read(module, outputs)


def _called(module: torch.nn.Module, signature: Signature, *given: torch.Tensor) -> Any:
    return torch_source.call(module, signature, given)
