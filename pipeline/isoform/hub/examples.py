"""Inputs to trace a module with, and others to check the export with; each at sizes at which the module runs.

A network of halvings runs at multiples of 32 only, one of waves at hundreds of samples: where it refuses the first,
odd sizes, the next ones are tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    """

    sizes: dict[str, int]
    inputs: tuple[torch.Tensor, ...]
    outputs: list[torch.Tensor]

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
    with torch.no_grad():
        outputs = torch_source.flattened(module(*(tensor.clone() for tensor in inputs)))
    return Example(sizes, inputs, [tensor.clone() for tensor in outputs])
