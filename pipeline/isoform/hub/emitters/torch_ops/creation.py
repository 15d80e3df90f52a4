"""Operators that make tensors, ask about shapes, or change the dtype."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from isoform.hub.emitters.torch_ops.dtypes import converted
from isoform.hub.emitters.torch_ops.table import Integers, Tensor, number, numbers, op


@op("Shape")
def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch._shape_as_tensor(x)[start:end]


@op("Size")
def size(x: Tensor) -> Tensor:
    return torch._shape_as_tensor(x).prod()


@op("Cast")
def cast(x: Tensor, *, to: torch.dtype, saturate: int = 1, round_mode: str = "up") -> Tensor:
    return converted(x, to, saturate=bool(saturate))


@op("CastLike")
def cast_like(x: Tensor, target: Tensor, *, saturate: int = 1, round_mode: str = "up") -> Tensor:
    return converted(x, target.dtype, saturate=bool(saturate))


@op("BitCast")
def bit_cast(x: Tensor, *, to: torch.dtype) -> Tensor:
    """Return the bits of x as numbers of another dtype of the same width."""
    return torch.view_copy(x, dtype=to)  # TorchScript takes the dtype given to view for a size


@op("Constant")
def constant(*, value: Any = None, value_float: float | None = None, value_floats: Sequence[float] | None = None,
             value_int: int | None = None, value_ints: Sequence[int] | None = None) -> Tensor:  # fmt: skip
    if value is not None:
        return value
    floats = value_float if value_float is not None else value_floats
    if floats is not None:
        return torch.tensor(floats, dtype=torch.float32)
    return torch.tensor(value_int if value_int is not None else value_ints, dtype=torch.int64)


@op("ConstantOfShape", known=(0,), assumed={"value": np.zeros(1, np.float32)})
def constant_of_shape(shape: Integers, *, value: Tensor) -> Tensor:
    return value.reshape(()).expand(numbers(shape)).contiguous()


@op("Range")
def span(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Return start, start + delta, ... up to before limit."""
    return torch.arange(number(start), number(limit), number(delta), dtype=start.dtype)


@op("EyeLike")
def eye_like(x: Tensor, *, dtype: torch.dtype | None = None, k: int = 0) -> Tensor:
    rows = torch.arange(x.shape[0]).unsqueeze(1)
    return (torch.arange(x.shape[1]) - rows == k).to(dtype or x.dtype)
