"""Operators of PyTorch that its exporter to ONNX has no form for, each a function that writes one.

To add one: a function of ONNX operators with the operator's own arguments, its attributes annotated, and a row in
`TRANSLATIONS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import opset20
from onnxscript.function_libs.torch_lib.ops import nn as published

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


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Return softmax(q k^T scale + mask) v over any number of axes before the last two; the exporter's own has two.

    Args:
        query: [..., target, feature]; ``key`` and ``value`` have as many axes.
    """
    if len(query.shape) == _BATCH_AND_HEADS:
        return published.aten_scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
        )
    if scale is None:
        feature = op.CastLike(op.Shape(query, start=-1), query)
        factor = op.Reciprocal(op.Sqrt(feature))
    else:
        factor = op.CastLike(op.Constant(value_float=scale), query)
    order = list(range(len(key.shape)))
    weight = op.MatMul(op.Mul(query, factor), op.Transpose(key, perm=[*order[:-2], order[-1], order[-2]]))
    if is_causal:
        square = op.Concat(op.Shape(query, start=-2, end=-1), op.Shape(key, start=-2, end=-1), axis=0)
        attn_mask = op.Cast(op.Trilu(op.Expand(op.Constant(value_int=1), square), upper=0), to=ir.DataType.BOOL)
    if attn_mask is not None and (is_causal or attn_mask.dtype == ir.DataType.BOOL):
        hidden = op.CastLike(op.Constant(value_float=float("-inf")), query)
        weight = op.Where(attn_mask, weight, hidden)
    elif attn_mask is not None:
        weight = op.Add(weight, attn_mask)
    return op.MatMul(op.Softmax(weight, axis=-1), value)


_BATCH_AND_HEADS = 4
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.prims.prod.default: product,
    torch.ops.aten.scaled_dot_product_attention.default: attention,
    torch.ops.aten.kthvalue.default: kth_value,
    torch.ops.aten.median.dim: median,
}
