"""PyTorch in float64 also where a network asks for float32 by name: ``x.float()``, ``softmax(x, dtype=torch.float32)``.

Networks written for half precision do so before norms and softmax. Upcast as a whole they would compute these parts in
float32 nonetheless, or mix both types and not run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def widened() -> Iterator[None]:
    """Let float64 stand for float32 in every call of PyTorch's functions."""
    with _Widening():
        yield


class _Widening(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        named = {name: _wide(value) for name, value in (kwargs or {}).items()}
        return func(*map(_wide, args), **named)


def _wide(value: Any) -> Any:
    if value is torch.float32:
        return torch.float64
    is_legacy = value is torch.FloatTensor or (isinstance(value, str) and value == "torch.FloatTensor")
    return torch.DoubleTensor if is_legacy else value  # the names of types in x.type(...)
