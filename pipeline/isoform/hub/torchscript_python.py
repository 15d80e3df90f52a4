"""What TorchScript's operators do to values that are not tensors: numbers, lists, strings, None.

Sizes pass through here as symbolic integers while a program is exported, so nothing here makes an int of a number.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

_DTYPES = (
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64,
    torch.complex32, torch.complex64, torch.complex128, torch.bool, None, None, None, torch.bfloat16,
)  # fmt: skip
"""By the number that stands for a dtype in TorchScript (c10/core/ScalarType.h)."""


def dtype_number(tensor: torch.Tensor) -> int:
    """Return the number of a tensor's dtype."""
    return _DTYPES.index(tensor.dtype)


def _sliced(items: Any, start: int | None = None, end: int | None = None, step: int | None = None) -> Any:
    return items[start:end:step]


def _item(items: Any, key: Any) -> Any:
    return items[key]


def _same(value: Any, *_: Any) -> Any:
    return value


def _truth(value: Any) -> Any:
    return value if isinstance(value, torch.SymBool) else value != 0


def _whole(value: Any) -> Any:
    return value if isinstance(value, torch.SymInt) else int(value)


def _numbered(function: Callable[[float], float]) -> Callable[..., Any]:
    return lambda value, *_: function(value)


PLAIN: dict[str, Callable[..., Any]] = {
    "aten::Bool": _truth,
    "aten::Float": float,
    "aten::Int": _whole,
    "aten::IntImplicit": _same,
    "aten::FloatImplicit": _same,
    "aten::ScalarImplicit": _same,
    "aten::__and__": operator.and_,
    "aten::__contains__": lambda items, item: item in items,
    "aten::__getitem__": _item,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::__not__": operator.not_,
    "aten::__or__": operator.or_,
    "aten::_unwrap_optional": _same,
    "aten::abs": abs,
    "aten::add": lambda one, other, alpha=1: one + other,
    "aten::append": lambda items, item: [items.append(item), items][1],
    "aten::ceil": _numbered(math.ceil),
    "aten::div": lambda one, other, *_: one / other,
    "aten::eq": operator.eq,
    "aten::extend": lambda items, more: items.extend(more),
    "aten::floor": _numbered(math.floor),
    "aten::floor_divide": operator.floordiv,
    "aten::floordiv": operator.floordiv,
    "aten::format": lambda text, *values: text.format(*values),
    "aten::ge": operator.ge,
    "aten::gt": operator.gt,
    "aten::insert": lambda items, place, item: items.insert(place, item),
    "aten::is_autocast_enabled": lambda *_: False,
    "aten::is_autocast_cpu_enabled": lambda *_: False,
    "aten::is_grad_enabled": lambda: True,  # with gradients, attention does without kernels that have no other form
    "aten::items": lambda table: list(table.items()),
    "aten::keys": list,
    "aten::le": operator.le,
    "aten::len": len,
    "aten::list": list,
    "aten::lt": operator.lt,
    "aten::mul": operator.mul,
    "aten::ne": operator.ne,
    "aten::neg": operator.neg,
    "aten::pow": operator.pow,
    "aten::remainder": operator.mod,
    "aten::rsub": lambda one, other, alpha=1: other - one,
    "aten::slice": _sliced,
    "aten::sqrt": _numbered(math.sqrt),
    "aten::str": str,
    "aten::sub": lambda one, other, alpha=1: one - other,
    "aten::values": lambda table: list(table.values()),
    "aten::warn": lambda *_: None,
    "prim::NumToTensor": _same,
    "prim::Print": lambda *_: None,
    "prim::abs": abs,
    "prim::max": max,
    "prim::min": min,
    "prim::unchecked_cast": _same,
    "prim::unchecked_unwrap_optional": _same,
}
OF_TENSOR: dict[str, Callable[..., Any]] = {
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::__getitem__": _item,
    "aten::__contains__": lambda items, item: item in items,
    "aten::_unwrap_optional": _same,
    "aten::append": lambda items, item: [items.append(item), items][1],
    "aten::dim": lambda tensor: tensor.dim(),
    "aten::extend": lambda items, more: items.extend(more),
    "aten::insert": lambda items, place, item: items.insert(place, item),
    "aten::items": lambda table: list(table.items()),
    "aten::len": len,
    "aten::list": list,
    "aten::numel": lambda tensor: tensor.numel(),
    "aten::size": lambda tensor, axis=None: list(tensor.shape) if axis is None else tensor.shape[axis],
    "aten::values": lambda table: list(table.values()),
    "prim::NumToTensor": _same,
    "prim::data": lambda tensor: tensor.detach(),
    "prim::device": lambda tensor: tensor.device,
    "prim::dtype": dtype_number,
    "prim::is_cuda": lambda tensor: tensor.is_cuda,
    "prim::layout": lambda tensor: 0,
    "prim::requires_grad": lambda tensor: True,
    "prim::unchecked_cast": _same,
    "prim::unchecked_unwrap_optional": _same,
}
"""Where one of the values is, or holds, a tensor; what is neither here nor a tensor operator is refused."""
