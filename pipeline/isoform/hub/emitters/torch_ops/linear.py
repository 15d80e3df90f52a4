"""Matrix products."""

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.table import Tensor, op
from isoform.hub.emitters.torch_ops.unsigned import widened


@op("MatMul")
@widened
def matmul(a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


@op("Gemm")
def gemm(
    a: Tensor, b: Tensor, c: Tensor | None = None,
    *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, broadcast: int = 1,  # noqa: N803
) -> Tensor:  # fmt: skip
    """Return alpha A B + beta C; in the common case as one fused linear layer."""
    a = a.t() if transA else a
    if c is not None and alpha == 1 and beta == 1 and c.dim() == 1:
        return F.linear(a, b if transB else b.t(), c)
    product = torch.matmul(a, b.t() if transB else b)
    product = product if alpha == 1 else alpha * product
    if c is None:
        return product
    return product + (c if beta == 1 else beta * c)


@op("Einsum")
def einsum(*tensors: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, *tensors)


@op("MatMulInteger")
def matmul_integer(a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Tensor:
    """Return the product of the differences from the zero points, as int32."""
    left, right = a.to(torch.int32), b.to(torch.int32)
    if a_zero is not None:
        left = left - (a_zero.to(torch.int32).unsqueeze(-1) if a_zero.dim() == 1 and len(a_zero) > 1 else a_zero)
    if b_zero is not None:
        right = right - b_zero.to(torch.int32)
    return torch.matmul(left, right)
