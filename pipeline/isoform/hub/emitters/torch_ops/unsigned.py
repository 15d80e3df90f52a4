"""Unsigned integers that PyTorch stores but does not compute in: int64 carries them, with the meaning of uint64 kept.

Sums, products and bits wrap around alike. Orders are right once the sign bit is flipped; quotients and shifts to the
right are made of signed ones.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops.table import Tensor

WIDENED = (torch.uint16, torch.uint32, torch.uint64)
_SIGN = -(2**63)
_REST = 2**63 - 1


def _dtype(inputs: Any) -> torch.dtype | None:
    return next((x.dtype for x in inputs if isinstance(x, torch.Tensor) and x.dtype in WIDENED), None)


def widened(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return ``function``, for which order does not matter, computed in int64 for those dtypes."""

    @functools.wraps(function)
    def wide(*inputs: Any, **attributes: Any) -> Tensor:
        dtype = _dtype(inputs)
        if dtype is None:
            return function(*inputs, **attributes)
        result = function(*[x.to(torch.int64) if isinstance(x, torch.Tensor) else x for x in inputs], **attributes)
        return result.to(dtype) if result.dtype == torch.int64 else result

    return wide


def ordered(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return ``function``, which compares or picks elements, with the order of uint64 kept."""

    @functools.wraps(function)
    def wide(*inputs: Any, **attributes: Any) -> Tensor:
        dtype = _dtype(inputs)
        if dtype is None:
            return function(*inputs, **attributes)
        flip = _SIGN if dtype == torch.uint64 else 0
        given = [to_signed(x, flip) if isinstance(x, torch.Tensor) and x.dtype == dtype else x for x in inputs]
        result = function(*given, **attributes)
        return (result ^ flip).to(dtype) if result.dtype == torch.int64 else result

    return wide


def refuse_uint64(x: Tensor, operator: str) -> None:
    """Raise IsoformError if x is uint64: for operators that would be wrong from 2**63 on."""
    if x.dtype == torch.uint64:
        raise IsoformError(
            f"{operator} of uint64 has no PyTorch form here: it would be wrong from 2**63 on.",
            "Compute it in int64 or double.",
            kind="unsupported-operator",
        )


def to_signed(x: Tensor, flip: int = _SIGN) -> Tensor:
    """Return x as int64 in the same order, if ``flip`` is the sign bit for uint64 and nothing for narrower dtypes."""
    return x.to(torch.int64) ^ flip


def quotient(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b rounded down, of uint64 carried in int64."""
    half = torch.div((a >> 1) & _REST, b, rounding_mode="trunc") << 1
    rest = a - half * b
    whole = half + ((rest ^ _SIGN) >= (b ^ _SIGN)).to(torch.int64)
    large = ((a ^ _SIGN) >= (b ^ _SIGN)).to(torch.int64)  # a divisor beyond 2**63 goes in once or never
    return torch.where(b < 0, large, whole)


def shifted_right(x: Tensor, count: Tensor) -> Tensor:
    """Return x, uint64 carried in int64, with zeros coming in on the left."""
    return torch.where(count > 0, ((x >> 1) & _REST) >> (count - 1).clamp(min=0), x)
