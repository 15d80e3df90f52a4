"""Which weights of a module its outputs depend on, read from the graph that autograd records in one call."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from isoform.hub.examples import REFUSALS


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


def unused_buffers(module: torch.nn.Module, call: Callable[[], Sequence[torch.Tensor]]) -> list[str]:
    """Return the names of buffers of layers without parameters that may hold anything: no output changes with them.

    The weights of the classes in a loss are such; they are in the state dict and in no export.

    Args:
        call: returns the outputs of ``module`` for the same inputs each time.
    """
    buffers = {
        f"{path}.{name}" if path else name: buffer
        for path, layer in module.named_modules()
        if not any(True for _ in layer.parameters(recurse=False))
        for name, buffer in layer.named_buffers(recurse=False)
        if buffer.is_floating_point() and buffer.ndim
    }
    with torch.no_grad():
        expected = call() if buffers else []
        if not buffers or _is_same(call, expected, buffers.values()):
            return list(buffers)
        return [name for name, buffer in buffers.items() if _is_same(call, expected, [buffer])]


def _is_same(
    call: Callable[[], Sequence[torch.Tensor]], expected: Sequence[torch.Tensor], buffers: Iterable[torch.Tensor]
) -> bool:
    """Return whether the outputs are as ``expected`` while ``buffers`` hold no numbers; they get theirs back."""
    kept = [(buffer, buffer.clone()) for buffer in buffers]
    try:
        for buffer, _ in kept:
            buffer.fill_(torch.nan)
        found = call()
        return all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
    except REFUSALS:  # a module that looks at its buffers depends on them
        return False
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def rows_read(module: torch.nn.Module, call: Callable[[], Sequence[torch.Tensor]]) -> dict[str, list[int]]:
    """Return which rows of tables (all axes but the last) the outputs depend on, of those that are read in part.

    A table is what a module of one's own holds beside its layers, as the positions of patches, which are cropped.

    Args:
        call: returns the outputs of ``module``.
    """
    tables = {
        f"{path}.{name}" if path else name: tensor
        for path, layer in module.named_modules()
        if not type(layer).__module__.startswith("torch.nn.")
        for name, tensor in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False))
        if tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() > tensor.shape[-1]
    }
    try:
        gradients = _gradients(tables, call) if tables else {}
    except REFUSALS:  # an operator without a derivative: every row counts
        return {}
    read = {name: (each != 0).reshape(-1, each.shape[-1]).any(-1) for name, each in gradients.items()}
    return {name: rows.nonzero().flatten().tolist() for name, rows in read.items() if rows.any() and not rows.all()}


def _gradients(tables: dict[str, torch.Tensor], call: Callable[[], Sequence[torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the gradient of a sum of the outputs, each element with a weight of its own, by the tables it has one."""
    for tensor in tables.values():
        tensor.requires_grad_()
    with torch.enable_grad():
        sums = [(each * torch.rand_like(each)).sum() for each in call() if each.requires_grad]
    found = torch.autograd.grad(sums, list(tables.values()), allow_unused=True) if sums else ()
    return {name: each for name, each in zip(tables, found, strict=False) if each is not None}
