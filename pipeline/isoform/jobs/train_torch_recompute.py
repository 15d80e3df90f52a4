"""Gradient checkpointing in PyTorch: segments keep their input only, and are computed again for their gradients.

A recomputation begins with the random state and the buffers that the first computation began with, and leaves those
that it found: dropout masks are the same, and moving averages move once.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from isoform.errors import IsoformError

_FEWEST_LAYERS = 3


def recompute(model: nn.Module) -> None:
    """Make ``model`` keep fewer activations: of a chain of n layers, those at the ends of about √n segments.

    Chains are the outermost nn.Sequential of three or more layers, and the blocks of an nn.ModuleList.

    Raises:
        IsoformError: it has neither.
    """
    if not _divide(model):
        raise IsoformError(
            f"{type(model).__name__} has no nn.Sequential of three layers and no nn.ModuleList of blocks: "
            "there is nothing to compute again.",
            "Leave out --recompute, or put its layers into an nn.Sequential.",
        )


def _divide(module: nn.Module) -> int:
    """Return how many chains were divided in ``module``."""
    if isinstance(module, nn.Sequential) and len(module) >= _FEWEST_LAYERS:
        layers = list(module)
        size = math.ceil(len(layers) / round(math.sqrt(len(layers))))
        _replace(module, [nn.Sequential(*layers[begin : begin + size]) for begin in range(0, len(layers), size)])
        return 1
    if isinstance(module, nn.ModuleList):
        blocks = [block for block in module if any(True for _ in block.children())]
        for block in blocks:
            _keep_input_only(block)
        return len(blocks)
    return sum(_divide(child) for child in module.children())


def _replace(chain: nn.Sequential, segments: list[nn.Sequential]) -> None:
    def forward(values: Any) -> Any:
        for segment in segments:
            values = segment(values)
        return values

    for segment in segments:
        _keep_input_only(segment)
    chain.forward = forward


def _keep_input_only(segment: nn.Module) -> None:
    compute = segment.forward

    def forward(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return compute(*inputs, **named)
        contexts = _contexts(segment)
        return checkpoint(compute, *inputs, use_reentrant=False, context_fn=lambda: contexts, **named)

    segment.forward = forward


def _contexts(segment: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return what surrounds the first computation of ``segment``, and what its recomputation."""
    begin: list[torch.Tensor] = []

    @contextmanager
    def first() -> Iterator[None]:
        begin[:] = [buffer.clone() for buffer in segment.buffers()]
        yield

    @contextmanager
    def again() -> Iterator[None]:
        found = [buffer.clone() for buffer in segment.buffers()]
        _set(segment, begin)
        yield
        _set(segment, found)

    return first(), again()


@torch.no_grad()
def _set(segment: nn.Module, values: list[torch.Tensor]) -> None:
    for buffer, value in zip(segment.buffers(), values, strict=True):
        buffer.copy_(value)
