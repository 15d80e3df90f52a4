"""The operators that PyTorch carries: one function each, called with tensors when the module runs.

To add an operator: a function under ``@op(...)`` in the file of its family. Positional arguments are the node's inputs
(None where left out), keyword arguments its attributes under ONNX' names; an argument ``outputs`` receives how many
outputs the node declares. Not aware of graphs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import OpTable

Tensor: TypeAlias = torch.Tensor
Function = TypeVar("Function", bound=Callable[..., Any])
Integers: TypeAlias = Tensor | Sequence[int]
"""Integers known beforehand, or a 1-D tensor computed while running."""


@dataclass(frozen=True)
class Form:
    """How one operator is carried.

    Attributes:
        known: inputs passed as Python numbers where the graph knows them.
        buffers: inputs that are state, not weights to be trained.
        arranged: what is done to an input; beforehand, once, where it is a weight.
        assumed: tensors that stand for attributes left out.
        bodies: attributes that hold sub-graphs, each a module of its own.
        is_module: ``function`` makes a module of (name, node, body modules), which is called with the list of inputs
            and, for each body, the list of what it captures; so does it wherever there are bodies.
    """

    function: Callable[..., Any]
    known: Collection[int] = ()
    buffers: Collection[int] = ()
    arranged: Mapping[int, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    assumed: Mapping[str, np.ndarray] = field(default_factory=dict)
    bodies: Sequence[str] = ()
    is_module: bool = False

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        return self.function(*inputs, **attributes)


OPERATORS: OpTable[Form] = OpTable("torchscript")


def op(*names: str, since: int = 1, domain: str = "", **form: Any) -> Callable[[Function], Function]:
    """Return a decorator that registers a function for ``names``; ``form`` holds the other fields of `Form`."""

    def register(function: Function) -> Function:
        OPERATORS.op(*names, since=since, domain=domain)(Form(function, **form))
        return function

    return register


def numbers(value: Integers) -> list[Any]:
    """Return integers to be used as sizes; while tracing, computed ones stay 0-D tensors, so that none is frozen."""
    if not isinstance(value, torch.Tensor):
        return list(value)
    value = value.reshape(-1)
    return list(value.to(torch.int64).unbind(0)) if torch.jit.is_tracing() else value.tolist()


def number(value: Any) -> Any:
    """Return one integer or float, as `numbers` does."""
    if not isinstance(value, (torch.Tensor, list)):
        return value
    if isinstance(value, list):
        return value[0]
    return value.reshape(()) if torch.jit.is_tracing() else value.item()


def static(value: Any, what: str) -> Any:
    """Return ``value``, which PyTorch has to know before the model runs.

    Raises:
        IsoformError: it is computed from the model's inputs.
    """
    if isinstance(value, torch.Tensor):
        if torch.jit.is_tracing():
            raise IsoformError(
                f"{what} computed from the model's inputs: TorchScript would freeze it.",
                "Export the model with this value fixed.",
                kind="unsupported-operator",
            )
        return value.tolist()
    return value


def replaced(dim: Any, marker: int, size: Any) -> Any:
    """Return ``size`` where ``dim`` is ``marker``, else ``dim``; decided while running if ``dim`` is computed."""
    if isinstance(dim, torch.Tensor):
        return torch.where(dim == marker, torch.as_tensor(size, dtype=torch.int64), dim)
    return size if dim == marker else dim


def at_least(value: Any, low: int) -> Any:
    """Return max(value, low) for a number or a 0-D tensor."""
    return value.clamp(min=low) if isinstance(value, torch.Tensor) else max(value, low)


def integers_of(tensor: Tensor) -> bool:
    """Tell whether ``tensor`` holds integers, bool not among them."""
    return not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype != torch.bool
