"""PyTorch in float64 also where a network asks for float32 by name: ``x.float()``, ``softmax(x, dtype=torch.float32)``.

Networks written for half precision do so before norms and softmax. Upcast as a whole they would compute these parts in
float32 nonetheless, or mix both types and not run. `widened` reaches Python's calls of PyTorch; `throughout` every
operator, also those of TorchScript and of exported programs, whose types are in the file.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


@contextmanager
def widened() -> Iterator[None]:
    """Let float64 stand for float32 in every call of PyTorch's functions."""
    with _Widening():
        yield


@contextmanager
def throughout(*, also: Collection[torch.dtype] = ()) -> Iterator[None]:
    """Let every operator compute in float64: float32 tensors, constants and results asked for by name are widened.

    What a module holds should be float64 before, as some operators compare types before they can be reached.

    Args:
        also: smaller types that are to be widened, of a file that was written in one: only its weights stay rounded.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _WideOperators({torch.float32, *also}):
            yield
    finally:
        torch.set_default_dtype(before)


class _WideOperators(TorchDispatchMode):
    def __init__(self, narrow: Collection[torch.dtype]) -> None:
        super().__init__()
        self._narrow = narrow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return func(*tree_map(self._wide, args), **tree_map(self._wide, dict(kwargs or {})))

    def _wide(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dtype in self._narrow:
            return value.double()
        return torch.float64 if isinstance(value, torch.dtype) and value in self._narrow else value


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
