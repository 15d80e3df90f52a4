"""What can be called, as a model: arrays by name in, arrays by name out; a torch module in float64 too."""

import copy
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec


class Callee:
    """A torch module, called with tensors, or any function, called with arrays: by name where it has the names.

    Args:
        names: what a tuple or a single answer is called, in order; numbered where nothing is given.
    """

    def __init__(self, function: Callable[..., Any], names: Sequence[str] = ()) -> None:
        self._function = function
        self._names = names
        torch = sys.modules.get("torch")
        self.is_module = torch is not None and isinstance(function, torch.nn.Module)
        self.name = type(function).__name__ if self.is_module else getattr(function, "__name__", "callable")

    def __call__(self, inputs: Tensors) -> dict[str, Array]:
        """Return the answer to one input set."""
        answer = _run_module(self._function, inputs) if self.is_module else _call(self._function, inputs)
        found = dict(_arrays(answer, ""))
        is_unnamed = not isinstance(answer, Mapping) and len(self._names) == len(found)
        return dict(zip(self._names, found.values(), strict=True)) if is_unnamed else found

    def answers(self, options: RunOptions, inputs: Iterable[Tensors]) -> list[Tensors]:
        """Return the answers as ``options`` say: a module in float64, or with disturbed weights."""
        changed = Callee(_changed(self._function, options) if self.is_module else self._function, self._names)
        return [changed(case) for case in inputs]


def _changed(module: Any, options: RunOptions) -> Any:
    from isoform.hub.torch_source import disturb

    changed = copy.deepcopy(module)
    if options.is_float64:
        changed = changed.double()
    if options.perturbation is not None:
        disturb(changed, options.perturbation)
    return changed


def _run_module(module: Any, inputs: Tensors) -> Any:
    import torch

    from isoform.hub.torch_source import call

    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            signature = Signature(tuple(TensorSpec(name, str(array.dtype), ()) for name, array in inputs.items()), ())
            return call(module, signature, [torch.from_numpy(np.array(array)) for array in inputs.values()])
    finally:
        module.train(was_training)


def _call(function: Callable[..., Any], inputs: Tensors) -> Any:
    try:
        names = set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a function written in C
        names = set()
    return function(**inputs) if set(inputs) <= names else function(*inputs.values())


def _arrays(answer: Any, name: str) -> Iterator[tuple[str, Array]]:
    if isinstance(answer, Mapping):
        for key, inner in answer.items():
            yield from _arrays(inner, f"{name}_{key}" if name else str(key))
    elif isinstance(answer, (tuple, list)):
        for place, inner in enumerate(answer):
            yield from _arrays(inner, f"{name or 'output'}_{place}" if len(answer) > 1 else name)
    elif answer is not None:
        held = answer.detach().cpu() if hasattr(answer, "detach") else answer
        yield name or "output", np.array(held)
