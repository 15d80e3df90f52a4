"""Inverses, solutions of linear systems and Cholesky factors as ONNX operators, for matrices of a known size.

ONNX has none of them. Each elimination step is written out, with the pivot that is largest in its column, as LAPACK
takes it; matrices are [..., n, n]. To add one: a function with the operator's own arguments, and a row in
`torch_translations.TRANSLATIONS`.
"""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript import opset20

op: Any = opset20  # its stubs know inputs by dtype, which a translation does not
LARGEST = 64
"""Rows of a matrix: each is a step of a dozen operators."""


def inverse(A: Any) -> Any:  # noqa: N803 - the operator's own name
    """Return the inverse; where there is none, no finite numbers."""
    identity = op.Constant(value=ir.tensor(np.eye(_size(A), dtype=A.dtype.numpy())))
    return _eliminated(A, identity, _size(A))


def inverse_and_success(A: Any, check_errors: bool = False) -> Any:  # noqa: N803 - as above
    """Return the inverse, and the code of success."""
    return inverse(A), _success(A)


def solution(A: Any, B: Any, left: bool = True) -> Any:  # noqa: N803 - as above
    """Return X of A X = B, or of X A = B; B is a matrix, or a row of numbers."""
    is_vector = len(B.shape) == 1 or (len(B.shape) == len(A.shape) - 1 and tuple(B.shape) == tuple(A.shape[:-1]))
    if is_vector:
        found = _eliminated(A, op.Unsqueeze(B, op.Constant(value_ints=[-1])), _size(A))
        return op.Squeeze(found, op.Constant(value_ints=[-1]))
    if left:
        return _eliminated(A, B, _size(A))
    turned = _transposed(A, len(A.shape)), _transposed(B, len(B.shape))
    return _transposed(_eliminated(*turned, _size(A)), max(len(A.shape), len(B.shape)))


def cholesky_factor(self: Any, upper: bool = False) -> Any:
    """Return the lower factor L of L L^T, or the upper one, column by column."""
    rest, columns, rank = self, [], len(self.shape)
    for done in range(_size(self)):
        first = _part(rest, -1, 0, 1)
        column = op.Div(first, op.Sqrt(_part(first, -2, 0, 1)))
        above = [0] * (2 * rank)
        above[rank - 2] = done
        columns.append(op.Pad(column, op.Constant(value_ints=above)))
        below = _part(column, -2, 1)
        rest = op.Sub(_part(_part(rest, -2, 1), -1, 1), op.MatMul(below, _transposed(below, rank)))
    factor = op.Concat(*columns, axis=-1)
    return _transposed(factor, rank) if upper else factor


def cholesky_factor_and_success(self: Any, upper: bool = False, check_errors: bool = False) -> Any:
    """Return the factor, and the code of success."""
    return cholesky_factor(self, upper), _success(self)


def _eliminated(matrix: Any, sides: Any, size: int) -> Any:
    """Return the solution of ``matrix`` X = ``sides`` by the elimination of Gauss and Jordan.

    Rows stay where they are: a step takes the row with the largest number in its column among those not taken yet, and
    in the end each stands in the place of its step.
    """
    places = op.Constant(value=ir.tensor(np.arange(size)[:, None]))  # [n, 1]
    zero, least = (op.CastLike(op.Constant(value_float=number), matrix) for number in (0.0, -1.0))
    is_taken, order = None, []
    for step in range(size):
        column = _part(matrix, -1, 0, 1)
        candidates = op.Abs(column) if is_taken is None else op.Where(is_taken, least, op.Abs(column))
        place = op.ArgMax(candidates, axis=-2, keepdims=1)  # [..., 1, 1]
        order.append(place)
        is_pivot = op.Equal(places, place)
        pivot = _chosen(is_pivot, column, zero)
        sides = _step(is_pivot, column, sides, op.Div(_chosen(is_pivot, sides, zero), pivot))
        if step + 1 < size:
            others = _part(matrix, -1, 1)
            matrix = _step(is_pivot, column, others, op.Div(_chosen(is_pivot, others, zero), pivot))
            is_taken = is_pivot if is_taken is None else op.Or(is_taken, is_pivot)
    at = op.Equal(op.Concat(*order, axis=-2), op.Constant(value=ir.tensor(np.arange(size)[None])))
    return op.MatMul(op.CastLike(at, sides), sides)


def _chosen(is_chosen: Any, rows: Any, zero: Any) -> Any:
    return op.ReduceSum(op.Where(is_chosen, rows, zero), op.Constant(value_ints=[-2]), keepdims=1)


def _step(is_pivot: Any, column: Any, rows: Any, row: Any) -> Any:
    """Return ``rows`` with the multiple of ``row`` taken away that clears ``column``; the pivot's become ``row``."""
    return op.Where(is_pivot, row, op.Sub(rows, op.Mul(column, row)))


def _size(matrix: Any) -> int:
    size = matrix.shape[-1]
    if not isinstance(size, int) or size > LARGEST:
        raise ValueError(f"a linear system of {size} rows has no ONNX form here: of 1 to {LARGEST}, known, it has")
    return size


def _part(value: Any, axis: int, start: int, end: int = np.iinfo(np.int64).max) -> Any:
    return op.Slice(value, *(op.Constant(value_ints=[each]) for each in (start, end, axis)))


def _success(matrix: Any) -> Any:
    return op.ConstantOfShape(op.Shape(matrix, start=0, end=-2), value=ir.tensor(np.zeros(1, np.int32)))


def _transposed(matrices: Any, rank: int) -> Any:
    order = list(range(rank))
    return op.Transpose(matrices, perm=[*order[:-2], order[-1], order[-2]])
