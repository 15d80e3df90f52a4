"""Inputs to trace a module with, and others to check the export with; each at sizes at which the module runs.

A network of halvings runs at multiples of 32 only, one of waves at hundreds of samples: where it refuses the first,
odd sizes, the next ones are tried.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import torch_source

_TRACED = ((2, 11, 23, 31), (2, 16, 24, 40), (2, 64, 96, 128), (2, 224, 256, 192), (2, 1600, 1216, 960))
_CHECKED = (
    (1, 7, 13, 17), (3, 19, 5, 29), (1, 24, 40, 8), (3, 40, 16, 24),
    (1, 96, 64, 160), (3, 128, 160, 64), (1, 256, 224, 288), (3, 1000, 800, 640),
    (1, 2000, 1100, 900),
)  # fmt: skip
_CHECKS = 2
_DISTURBANCES = 3
_TRACED_SEED, _CHECKED_SEED = 4, 7
"""Of the first candidate; the next ones count on, so that more candidates change no draw of those before."""
REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError, TypeError)
"""What modules raise for sizes that they do not take."""


@dataclass(frozen=True)
class Example:
    """What a module answers to inputs of one set of sizes.

    Attributes:
        sizes: by dynamic dimension; empty where every dimension is fixed.
        outputs: the tensors of the answer, in order.
        again: returns answers to the same inputs, computed and disturbed in their last bits as another runtime may.
    """

    sizes: dict[str, int]
    inputs: tuple[torch.Tensor, ...]
    outputs: list[torch.Tensor]
    again: Callable[[], Iterator[list[torch.Tensor]]] = field(default=lambda: iter(()), repr=False)

    def __str__(self) -> str:
        return ", ".join(f"{name}={size}" for name, size in self.sizes.items()) or "the declared sizes"


def traced(module: Callable[..., Any], signature: Signature) -> Example:
    """Return the example to trace with.

    Raises:
        IsoformError: the module does not run on what is declared.
    """
    return _running(module, signature, _TRACED, 1, _TRACED_SEED)[0]


def checked(module: Callable[..., Any], signature: Signature) -> list[Example]:
    """Return examples at sizes that `traced` does not give.

    Raises:
        IsoformError: the module does not run on what is declared.
    """
    return _running(module, signature, _CHECKED, _CHECKS, _CHECKED_SEED)


def _running(
    module: Callable[..., Any], signature: Signature, candidates: Sequence[Sequence[int]], count: int, first_seed: int
) -> list[Example]:
    found: list[Example] = []
    reasons: list[str] = []
    for seed, sizes in enumerate(candidates, start=first_seed):
        chosen = torch_source.sizes(signature, sizes)
        try:
            found.append(_answered(module, chosen, torch_source.example(signature, sizes, seed)))
        except REFUSALS as error:
            lines = str(error).strip().splitlines() or [""]
            reasons.append(f"at {Example(chosen, (), [])}: {type(error).__name__}: {lines[0][:200]}")
            continue
        if len(found) == count:
            return found
    if found:
        return found
    raise IsoformError(
        f"The model does not run on its declared inputs {reasons[0]}",
        "Correct --input: order, dtype, shape; a number for an axis that has to have one size.",
        kind="does-not-run",
    )


def tried(module: Callable[..., Any], signature: Signature, sizes: dict[str, int]) -> Example | None:
    """Return what the module answers at ``sizes``, None where it refuses them.

    Raises:
        RuntimeError: there is not enough memory to know.
    """
    inputs = torch_source.example(signature, [sizes[symbol] for symbol in signature.symbols])
    try:
        return _answered(module, sizes, inputs)
    except REFUSALS as error:
        if "allocate memory" in str(error):
            raise
        return None


def _answered(module: Callable[..., Any], sizes: dict[str, int], inputs: tuple[torch.Tensor, ...]) -> Example:
    return Example(sizes, inputs, _outputs(module, inputs), partial(_disturbed, module, inputs))


def _outputs(module: Callable[..., Any], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        return [tensor.clone() for tensor in torch_source.flattened(module(*(tensor.clone() for tensor in inputs)))]


def _disturbed(module: Callable[..., Any], inputs: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield answers in float64, with other kernels, and to inputs that are off by a unit in the last place."""
    if isinstance(module, torch.nn.Module):
        with suppress(*REFUSALS), _in_float64(module):  # where its code says float32, it does not run in float64
            yield _outputs(module, [_as(tensor, torch.float64) for tensor in inputs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that other hardware would have TF32
        with torch.backends.mkldnn.flags(enabled=False):
            otherwise = _outputs(module, inputs)
    yield otherwise
    generator = torch.Generator().manual_seed(0)
    for _ in range(_DISTURBANCES):
        yield _outputs(module, [_off_by_a_unit(tensor, generator) for tensor in inputs])


@contextmanager
def _in_float64(module: torch.nn.Module) -> Iterator[None]:
    """Widen what ``module`` holds, in place, for a while: float32 comes back as it was."""
    held = [tensor for tensor in (*module.parameters(), *module.buffers()) if tensor.dtype == torch.float32]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for tensor in held:
            tensor.data = tensor.data.double()
        yield
    finally:
        torch.set_default_dtype(before)
        for tensor in held:
            tensor.data = tensor.data.float()


def _as(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _off_by_a_unit(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    signs = torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1
    return tensor * (1 + signs * torch.finfo(tensor.dtype).eps).to(tensor.dtype)
