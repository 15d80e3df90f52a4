"""Operators of PyTorch that its exporter to ONNX has no form for, each a function that writes one.

To add one: a function of ONNX operators with the operator's own arguments, its attributes annotated, and a row in
`TRANSLATIONS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from onnxscript import opset20
from onnxscript.function_libs.torch_lib.ops import nn as published

from isoform.hub import torch_linear_systems

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


def sort(inp: Any, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """Return the elements in order and where they stood; TopK leaves equals in theirs, which is what stable means."""
    size = op.Gather(op.Shape(inp), op.Constant(value_ints=[dim]))
    return op.TopK(inp, size, axis=dim, largest=int(descending), sorted=1)


def running_maximum(inp: Any, dim: int) -> Any:
    """Return the largest element up to each place along an axis, and the last place where it stands."""
    return _running(inp, dim, is_largest=True)


def running_minimum(inp: Any, dim: int) -> Any:
    """Return the smallest element up to each place along an axis, and the last place where it stands."""
    return _running(inp, dim, is_largest=False)


def _running(inp: Any, dim: int, *, is_largest: bool) -> tuple[Any, Any]:
    """Compare each place with all before it: a square of the axis, as attention has, and no loop."""
    rank = len(inp.shape)
    order = [axis for axis in range(rank) if axis != dim % rank] + [dim % rank]
    moved = op.Unsqueeze(op.Transpose(inp, perm=order), op.Constant(value_ints=[-2]))  # [..., 1, place before]
    size = op.Shape(moved, start=-1)
    ones = op.Expand(op.Constant(value_int=1), op.Concat(size, size, axis=0))
    is_before = op.Cast(op.Trilu(ones, upper=0), to=ir.DataType.BOOL)
    candidates = op.Where(is_before, moved, op.Constant(value=_worst(inp.dtype, is_largest)))
    place = (op.ArgMax if is_largest else op.ArgMin)(candidates, axis=-1, keepdims=0, select_last_index=1)
    reduce = op.ReduceMax if is_largest else op.ReduceMin
    values = reduce(candidates, op.Constant(value_ints=[-1]), keepdims=0)
    back = [order.index(axis) for axis in range(rank)]
    return op.Transpose(values, perm=back), op.Transpose(place, perm=back)


def _worst(dtype: ir.DataType, is_largest: bool) -> ir.Tensor:
    """Return what no element of ``dtype`` loses against."""
    kind = dtype.numpy()
    if dtype.is_floating_point():
        return ir.tensor(np.array(-np.inf if is_largest else np.inf, kind))
    return ir.tensor(np.array(np.iinfo(kind).min if is_largest else np.iinfo(kind).max, kind))


def places_in_order(
    sorted_sequence: Any,
    inp: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Return where each element would stand in a sequence in order: how many of it are smaller, or not larger."""
    if sorter is not None:
        sorted_sequence = op.GatherElements(sorted_sequence, sorter, axis=-1)
    if len(sorted_sequence.shape) > 1:
        sorted_sequence = op.Unsqueeze(sorted_sequence, op.Constant(value_ints=[-2]))
    value = op.Unsqueeze(inp, op.Constant(value_ints=[-1]))
    is_right = right or side == "right"
    is_passed = op.LessOrEqual(sorted_sequence, value) if is_right else op.Less(sorted_sequence, value)
    counted = op.Cast(is_passed, to=ir.DataType.INT32 if out_int32 else ir.DataType.INT64)
    return op.ReduceSum(counted, op.Constant(value_ints=[-1]), keepdims=0)


def distances(x1: Any, x2: Any, p: float, compute_mode: int | None = None) -> Any:
    """Return the p-norms of the differences of all rows of x1 [..., m, feature] and x2 [..., n, feature].

    Euclidean ones of many rows are made of products, as PyTorch makes them from 25 rows on: m n feature would not fit.
    """
    last = op.Constant(value_ints=[-1])
    sizes = [x1.shape[-2], x2.shape[-2]]
    is_small = all(isinstance(size, int) and size <= _FEW_ROWS for size in sizes)
    if p == 2 and compute_mode != _NEVER_PRODUCTS and not is_small:
        moved = _transposed(x2)
        squares = op.ReduceSum(op.Mul(x1, x1), last, keepdims=1)
        others = op.ReduceSum(op.Mul(moved, moved), op.Constant(value_ints=[-2]), keepdims=1)
        products = op.MatMul(x1, moved)
        sums = op.Add(squares, others)
        doubled = op.Mul(products, op.CastLike(op.Constant(value_float=2.0), products))
        return op.Sqrt(op.Relu(op.Sub(sums, doubled)))
    rows, columns = (op.Unsqueeze(x, op.Constant(value_ints=[axis])) for x, axis in ((x1, -2), (x2, -3)))
    apart = op.Abs(op.Sub(rows, columns))
    if p == float("inf"):
        return op.ReduceMax(apart, last, keepdims=0)
    if p == 0:
        return op.ReduceSum(op.CastLike(op.Cast(apart, to=ir.DataType.BOOL), x1), last, keepdims=0)
    if p == 1:
        return op.ReduceSum(apart, last, keepdims=0)
    if p == 2:
        return op.ReduceL2(apart, last, keepdims=0)
    power, root = (op.CastLike(op.Constant(value_float=float(each)), x1) for each in (p, 1 / p))
    return op.Pow(op.ReduceSum(op.Pow(apart, power), last, keepdims=0), root)


def _transposed(matrices: Any) -> Any:
    order = list(range(len(matrices.shape)))
    return op.Transpose(matrices, perm=[*order[:-2], order[-1], order[-2]])


def triangular_solution(inp: Any, sides: Any, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """Return X of A X = B, or of X A = B, for triangular matrices A [..., n, n] of a known size n; ``sides`` is B.

    The inverse is put together from those of blocks on the diagonal, 1, 2, 4, ... rows large: with M of the blocks so
    far and C between two of them, the next ones are M - M C M. That is substitution, block by block.
    """
    size = inp.shape[-1]
    if not isinstance(size, int):
        raise ValueError("a triangular system of dynamic size has no ONNX form")

    def only(flags: Any) -> Any:
        zero = op.CastLike(op.Constant(value_float=0.0), inp)
        return op.Where(op.Constant(value=ir.tensor(flags)), inp, zero)

    inverse = op.Constant(value=ir.tensor(np.eye(size, dtype=inp.dtype.numpy())))
    if not unitriangular:
        diagonal = op.ReduceSum(only(np.eye(size, dtype=bool)), op.Constant(value_ints=[-1]), keepdims=1)
        inverse = op.Div(inverse, diagonal)
    first, second = np.indices((size, size)) if upper else np.indices((size, size))[::-1]
    block = 1
    while block < size:
        is_between = (first // (2 * block) == second // (2 * block)) & (first // block < second // block)
        inverse = op.Sub(inverse, op.MatMul(op.MatMul(inverse, only(is_between)), inverse))
        block *= 2
    return op.MatMul(inverse, sides) if left else op.MatMul(sides, inverse)


def read_in_volume(inp: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """Return a volume read at the positions of a grid."""
    mode, padding = ("linear", "nearest")[interpolation_mode], ("zeros", "border", "reflection")[padding_mode]
    return op.GridSample(inp, grid, align_corners=int(align_corners), mode=mode, padding_mode=padding)


def masked_elements(inp: Any, mask: Any) -> Any:
    """Return the elements whose flag is set, as a row."""
    shape = op.Shape(op.Where(mask, inp, inp))
    row = op.Constant(value_ints=[-1])
    return op.Compress(op.Reshape(op.Expand(inp, shape), row), op.Reshape(op.Expand(mask, shape), row))


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
    weight = op.MatMul(op.Mul(query, factor), _transposed(key))
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
_FEW_ROWS, _NEVER_PRODUCTS = 25, 2
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.prims.prod.default: product,
    torch.ops.aten.scaled_dot_product_attention.default: attention,
    torch.ops.aten.kthvalue.default: kth_value,
    torch.ops.aten.median.dim: median,
    torch.ops.aten.sort.stable: sort,
    torch.ops.aten.cummax.default: running_maximum,
    torch.ops.aten.cummin.default: running_minimum,
    torch.ops.aten.searchsorted.Tensor: places_in_order,
    torch.ops.aten._cdist_forward.default: distances,
    torch.ops.aten.linalg_solve_triangular.default: triangular_solution,
    torch.ops.aten.linalg_inv.default: torch_linear_systems.inverse,
    torch.ops.aten.inverse.default: torch_linear_systems.inverse,
    torch.ops.aten.linalg_inv_ex.default: torch_linear_systems.inverse_and_success,
    torch.ops.aten.linalg_solve.default: torch_linear_systems.solution,
    torch.ops.aten.linalg_cholesky.default: torch_linear_systems.cholesky_factor,
    torch.ops.aten.linalg_cholesky_ex.default: torch_linear_systems.cholesky_factor_and_success,
    torch.ops.aten.grid_sampler_3d.default: read_in_volume,
    torch.ops.aten.masked_select.default: masked_elements,
}
