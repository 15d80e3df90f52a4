"""Which weights of a module its outputs depend on, read from the graph that autograd records in one call."""

from collections.abc import Iterable
from typing import Any

import torch


def unused_parameters(module: torch.nn.Module, outputs: Iterable[torch.Tensor]) -> list[str]:
    """Return the names of the parameters that no output depends on, and of the buffers of layers of such alone.

    Autograd says nothing of buffers: the statistics of a normalisation count as unused with its scale and shift.

    Args:
        outputs: what ``module`` gave in a call with gradients enabled, all its parameters requiring them.
    """
    reached = set()
    open_nodes: list[Any] = [output.grad_fn for output in outputs if output.grad_fn is not None]
    reached |= {id(output) for output in outputs}
    seen = set(open_nodes)
    while open_nodes:
        node = open_nodes.pop()
        if hasattr(node, "variable"):  # AccumulateGrad: a leaf
            reached.add(id(node.variable))
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                open_nodes.append(following)
    unused = [
        name
        for name, parameter in module.named_parameters(remove_duplicate=False)
        if parameter.is_floating_point() and id(parameter) not in reached
    ]
    return unused + _statistics(module, set(unused))


def _statistics(module: torch.nn.Module, unused: set[str]) -> list[str]:
    found = []
    for path, layer in module.named_modules():
        prefix = f"{path}." if path else ""
        own = [f"{prefix}{name}" for name, _ in layer.named_parameters(recurse=False)]
        if own and unused.issuperset(own):
            found += [f"{prefix}{name}" for name, buffer in layer.named_buffers(recurse=False) if buffer.ndim]
    return found
