"""Complex numbers of an exported program in pairs of real ones, where PyTorch's exporter to ONNX has no form for them.

Rotary positions of language models, spectral layers and vocoders compute so. The exporter takes a complex tensor for a
real one with a last axis of two, and knows a part of the operators. To add one: a row in the table of its kind.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram, default_decompositions
from torch.utils._pytree import tree_iter, tree_map

aten = torch.ops.aten
_REAL, _IMAGINARY = 0, 1


def in_pairs(exported: ExportedProgram) -> ExportedProgram:
    """Return ``exported`` with its complex operators written as real ones; without such, the same program."""
    if not any(_is_complex(node.meta.get("val")) for node in exported.graph.nodes):
        return exported
    rules = {operator: _if_complex(decomposed) for operator, decomposed in default_decompositions().items()}
    return exported.run_decompositions(rules | _RULES)


def _is_complex(value: Any) -> bool:
    """Return whether a complex number, or a tensor of such, is among ``value``."""
    leaves = list(tree_iter(value))
    return any(each.is_complex() if isinstance(each, torch.Tensor) else isinstance(each, complex) for each in leaves)


def _if_complex(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``rule`` for what has a complex operand; all else stays as it is."""

    def decomposed(*args: Any, **kwargs: Any) -> Any:
        return rule(*args, **kwargs) if _is_complex((args, kwargs)) else NotImplemented

    return decomposed


def _part(value: Any, which: int) -> Any:
    """Return the real or the imaginary part of a number or a tensor of numbers; places and flags are their own."""
    if isinstance(value, torch.Tensor) and value.is_complex():
        return torch.view_as_real(value).select(-1, which)
    if isinstance(value, complex):
        return value.imag if which == _IMAGINARY else value.real
    if which == _IMAGINARY and isinstance(value, torch.Tensor) and value.is_floating_point():
        return torch.zeros_like(value)
    return value


def _parts(value: Any) -> tuple[Any, Any]:
    """Return both parts; those of a real number have an imaginary part of zero."""
    if isinstance(value, (int, float)):
        return value, 0.0
    return _part(value, _REAL), _part(value, _IMAGINARY)


def _joined(real: Any, imaginary: Any) -> Any:
    if isinstance(real, (list, tuple)):
        return [_joined(*pair) for pair in zip(real, imaginary, strict=True)]
    return torch.view_as_complex(torch.stack([real, imaginary], -1))


def _each(operator: Callable[..., Any]) -> Callable[..., Any]:
    """Return the rule of an operator that moves elements: it does the same to both parts."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        taken = [
            tree_map(lambda value, which=which: _part(value, which), (args, kwargs)) for which in (_REAL, _IMAGINARY)
        ]
        return _joined(*(operator(*positional, **named) for positional, named in taken))

    return _if_complex(rule)


def _product(operator: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def rule(one: Any, other: Any) -> Any:
        (a, b), (c, d) = _parts(one), _parts(other)
        if not _is_complex(other):
            return _joined(operator(a, c), operator(b, c))
        if not _is_complex(one):
            return _joined(operator(a, c), operator(a, d))
        return _joined(operator(a, c) - operator(b, d), operator(a, d) + operator(b, c))

    return _if_complex(rule)


def _quotient(one: Any, other: Any) -> Any:
    (a, b), (c, d) = _parts(one), _parts(other)
    if not _is_complex(other):
        return _joined(a / c, b / c)
    norm = c * c + d * d
    return _joined((a * c + b * d) / norm, (b * c - a * d) / norm)


def _total(sign: int) -> Callable[..., Any]:
    def rule(one: Any, other: Any, *, alpha: float = 1) -> Any:
        (a, b), (c, d) = _parts(one), _parts(other)
        real, imaginary = a + sign * alpha * c, b + sign * alpha * d
        return _joined(*torch.broadcast_tensors(real, imaginary))

    return _if_complex(rule)


def _exponential(value: Any) -> Any:
    real, imaginary = _parts(value)
    size = torch.exp(real)
    return _joined(size * torch.cos(imaginary), size * torch.sin(imaginary))


def _filled(operator: Callable[..., Any]) -> Callable[..., Any]:
    """Return the rule of an operator that makes a tensor of one number."""

    def rule(size: Any, *number: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
        if dtype is None or not dtype.is_complex:
            return NotImplemented
        kwargs["dtype"] = dtype.to_real()
        real = operator(size, *(_part(each, _REAL) for each in number), **kwargs)
        return _joined(real, aten.full.default(size, number[0].imag if number else 0.0, **kwargs))

    return rule


_MOVING = (
    aten.unsqueeze.default, aten.squeeze.default, aten.squeeze.dims, aten.expand.default, aten.select.int,
    aten.unbind.int, aten.split.Tensor, aten.split_with_sizes.default, aten.repeat.default, aten.index.Tensor,
    aten.index_select.default, aten.gather.default, aten.where.self, aten.constant_pad_nd.default,
    aten.slice_scatter.default, aten.select_scatter.default, aten.index_put.default, aten.copy.default,
    aten.cumsum.default, aten.unfold.default,
)  # fmt: skip
_RULES: dict[Any, Callable[..., Any]] = {
    **{operator: _each(operator) for operator in _MOVING},
    **{operator: _product(operator) for operator in (aten.mul.Tensor, aten.mm.default, aten.bmm.default)},
    **{operator: _filled(operator) for operator in (aten.zeros.default, aten.ones.default, aten.full.default)},
    aten.add.Tensor: _total(1),
    aten.sub.Tensor: _total(-1),
    aten.div.Tensor: _if_complex(_quotient),
    aten.exp.default: _if_complex(_exponential),
}
