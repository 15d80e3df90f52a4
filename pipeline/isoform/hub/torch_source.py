"""The PyTorch source: a module with its weights, called with tensors in signature order.

Shared by the runtime that gives the reference outputs and by the converters that start from PyTorch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import safetensors.torch
import torch

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Perturbation
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.architecture import resolve

_SHOWN = 5


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
    module = resolve(source.architecture)(**source.architecture.arguments)
    if not isinstance(module, torch.nn.Module):
        raise IsoformError(
            f"'{source.architecture.factory}' returned {type(module).__name__}, not a torch.nn.Module.",
            "Return the module at the end of the function.",
            kind="architecture",
        )
    state = _state(source)
    _refuse_other_keys(source, module.state_dict(), state)
    module.load_state_dict(state, strict=True, assign=False)
    return module.eval()


def _state(source: Artifact) -> dict[str, torch.Tensor]:
    if not source.model.is_file():
        raise IsoformError(f"{source.model}: no such file.", "Check the path, or train the model first.")
    try:
        return dict(safetensors.torch.load_file(source.model))
    except Exception as error:  # safetensors raises a type of its own that its package does not export everywhere
        raise IsoformError(
            f"{source.model}: not a whole safetensors file ({str(error)[:200]}).", "Save it again.", kind="damaged"
        ) from error


def _refuse_other_keys(source: Artifact, wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    misshapen = [
        f"{name} {list(found[name].shape)}, the network has {list(wanted[name].shape)}"
        for name in wanted
        if name in found and wanted[name].shape != found[name].shape
    ]
    problems = [
        f"{word}: {', '.join(names[:_SHOWN])}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        for word, names in (("missing", missing), ("unexpected", extra), ("misshapen", misshapen))
        if names
    ]
    if problems:
        raise IsoformError(
            f"{source.model.name} does not fit the network; {'; '.join(problems)}.",
            "Check --arch and its arguments, or save the checkpoint of this very network.",
            kind="state-dict",
        )


@torch.no_grad()
def disturb(module: torch.nn.Module, perturbation: Perturbation) -> None:
    """Multiply every float weight by 1+d, d uniform in ±magnitude, drawn from the perturbation's seed."""
    generator = torch.Generator().manual_seed(perturbation.seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            d = torch.rand(tensor.shape, generator=generator, dtype=torch.float64).mul_(2).sub_(1)
            tensor.mul_(d.mul_(perturbation.magnitude).add_(1).to(tensor.dtype))


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
    return [leaf for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


def example(signature: Signature, sizes: Sequence[int], seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Return random inputs, the dynamic dimensions taking ``sizes`` in turn."""
    symbols = dict(zip(signature.symbols, sizes, strict=False))
    rng = np.random.default_rng(seed)
    return tuple(torch.from_numpy(_random(spec, spec.sizes(symbols), rng)) for spec in signature.inputs)


def _random(spec: TensorSpec, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if spec.dtype.startswith(("int", "uint")):
        low = spec.low or 0
        return rng.integers(low, spec.high or low + 2, shape).astype(spec.dtype)
    if spec.dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.random(shape).astype(spec.dtype)
