"""Which parameters of a module its outputs depend on, read from the graph that autograd records in one call."""

from collections.abc import Iterable
from typing import Any

import torch


def unused_parameters(module: torch.nn.Module, outputs: Iterable[torch.Tensor]) -> list[str]:
    """Return the names of the parameters that no output depends on.

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
    return [
        name
        for name, parameter in module.named_parameters(remove_duplicate=False)
        if parameter.is_floating_point() and id(parameter) not in reached
    ]
