"""What a network seems to take: a proposal for each argument of ``forward`` without a default.

An argument's first reader among the layers says what it expects; a proposal is run before it is made, where it can be.
"""

import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from isoform.core.generation import draw
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.torch_layers import Expectation, expectation
from isoform.hub.torch_source import call

_MOST_TRIALS = 24
_SIZES = {"batch": 2, "length": 12}
_BLIND = ("float32[batch,length]", "float32[batch]", "int64[batch,length]:0..1")
"""What is tried for an argument that no layer was seen to read."""


@dataclass(frozen=True)
class Proposal:
    """Inputs that a network may be declared with.

    Attributes:
        inputs: as after ``--input``; ``DTYPE[DIM,...]`` where nothing tells.
        readers: by input, the layer that reads it: ``Conv2d(3, 64)``.
        optional: the arguments that have a default and are left out.
        is_run: the network was run on these inputs.
    """

    inputs: tuple[str, ...]
    readers: Mapping[str, str]
    optional: tuple[str, ...]
    is_run: bool


def proposed(module: torch.nn.Module) -> Proposal:
    """Return what ``module`` seems to take."""
    names, optional = _arguments(module)
    readers = _readers(module, names, optional)
    told = {name: reader.layer for name, reader in readers.items()}
    choices = [
        [f"{name}:{text}" for text in (readers[name].candidates if name in readers else _BLIND)] for name in names
    ]
    for texts in itertools.islice(itertools.product(*choices), _MOST_TRIALS):
        if names and _runs(module, [TensorSpec.parse(text) for text in texts]):
            return Proposal(texts, told, optional, is_run=True)
    guesses = [f"{name}:{readers[name].candidates[0] if name in readers else 'DTYPE[DIM,...]'}" for name in names]
    return Proposal(tuple(guesses), told, optional, is_run=False)


def _arguments(module: torch.nn.Module) -> tuple[list[str], tuple[str, ...]]:
    """Return the arguments of ``forward`` that have to be given, and those that may."""
    if isinstance(module, torch.jit.ScriptModule):
        rows = [(row.name, row.has_default_value()) for row in module.forward.schema.arguments[1:]]
    else:
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(module.forward).parameters.values()
        rows = [(row.name, row.default is not row.empty) for row in parameters if row.kind not in kinds]
    needed = [name for name, has_default in rows if not has_default] or [name for name, _ in rows[:1]]
    return needed, tuple(name for name, _ in rows if name not in needed)


def _readers(module: torch.nn.Module, names: Sequence[str], optional: Sequence[str]) -> dict[str, Expectation]:
    found = _traced_readers(module, names, optional)
    missing = [name for name in names if name not in found]
    if missing and not found:  # the order in which layers were made is that of their use, as a rule
        first = next((known for layer in module.modules() if (known := expectation(layer)) is not None), None)
        found |= {missing[0]: first} if first is not None else {}
    return found


def _traced_readers(module: torch.nn.Module, names: Sequence[str], optional: Sequence[str]) -> dict[str, Expectation]:
    """Return the first layer that reads each argument, as far as symbolic tracing gets."""
    if isinstance(module, torch.jit.ScriptModule):
        return {}
    tracer = _Tracer()
    parameters = inspect.signature(module.forward).parameters
    try:
        tracer.trace(module, concrete_args={name: parameters[name].default for name in optional})
    except Exception:  # noqa: BLE001 - tracing ends at the first branch on a value; what it saw before that counts
        if not hasattr(tracer, "graph"):
            return {}
    layers = dict(module.named_modules())
    placeholders = {node.name: node for node in tracer.graph.nodes if node.op == "placeholder"}
    found = {}
    for name in names:
        modules = (layers[node.target] for node in _users(placeholders.get(name)) if node.op == "call_module")
        known = next((known for layer in modules if (known := expectation(layer)) is not None), None)
        if known is not None:
            found[name] = known
    return found


class _Tracer(fx.Tracer):
    """A tracer to which every layer that is known to expect something is one step."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return expectation(m) is not None or super().is_leaf_module(m, module_qualified_name)


def _users(node: fx.Node | None) -> Iterator[fx.Node]:
    """Yield the nodes that use ``node``, and those that use them, nearest first."""
    waiting, seen = [node] if node is not None else [], set()
    while waiting:
        for user in waiting.pop(0).users:
            if user not in seen:
                seen.add(user)
                yield user
                waiting.append(user)


@torch.no_grad()
def _runs(module: torch.nn.Module, specs: Sequence[TensorSpec]) -> bool:
    rng = np.random.default_rng(0)
    given = [torch.from_numpy(draw(spec, "representative", spec.sizes(_SIZES), rng)) for spec in specs]
    try:
        answer: Any = call(module, Signature(tuple(specs), ()), given)
    except Exception:  # noqa: BLE001 - whatever a network raises, it does not run on this
        return False
    return answer is not None
