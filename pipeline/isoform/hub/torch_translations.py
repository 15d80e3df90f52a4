"""Operators of PyTorch that its exporter to ONNX has no form for, each a function that writes one.

To add one: a function of ONNX operators with the operator's own arguments, its attributes annotated, and a row in
`TRANSLATIONS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset20

op: Any = opset20  # its stubs know inputs by dtype, which a translation does not


def product(inp: Any, dims: Sequence[int] | None = None, output_dtype: int = -1) -> Any:
    """Return the product over ``dims``, all of them by default; what a cumulative product is decomposed into."""
    if dims is None:
        return op.ReduceProd(inp, keepdims=0)
    return op.ReduceProd(inp, op.Constant(value_ints=list(dims)), keepdims=0)


def kth_value(inp: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the k-th smallest element along an axis, and its place."""
    return _last_of(op.TopK(inp, op.Constant(value_ints=[k]), axis=dim, largest=0, sorted=1), dim, keepdim)


def median(inp: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the middle element along an axis, the lower one of two, and its place."""
    size = op.Gather(op.Shape(inp), op.Constant(value_ints=[dim]))
    count = op.Div(op.Add(size, op.Constant(value_ints=[1])), op.Constant(value_ints=[2]))
    return _last_of(op.TopK(inp, count, axis=dim, largest=0, sorted=1), dim, keepdim)


def _last_of(found: tuple[Any, Any], dim: int, keepdim: bool) -> tuple[Any, Any]:
    last = op.Constant(value_ints=[-1]) if keepdim else op.Constant(value_int=-1)
    return op.Gather(found[0], last, axis=dim), op.Gather(found[1], last, axis=dim)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.prims.prod.default: product,
    torch.ops.aten.kthvalue.default: kth_value,
    torch.ops.aten.median.dim: median,
}
