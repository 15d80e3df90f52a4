"""Layers that ONNX writes out in several operators and PyTorch has kernels for (passes/fuse_*.py)."""

import torch.nn.functional as F

from isoform.hub.emitters.registry import FUSED_DOMAIN
from isoform.hub.emitters.torch_ops.table import Tensor, op

_LARGEST_COPIED_BYTES = 16 << 20


def _as_layer(weight: Tensor) -> Tensor:
    """Return [out, in], as torch.nn.Linear keeps it; a large one as a view, which the kernel takes as well."""
    return weight.t().contiguous() if weight.nbytes <= _LARGEST_COPIED_BYTES else weight.t()


@op("Linear", domain=FUSED_DOMAIN, arranged={1: _as_layer})
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


@op("Attention", domain=FUSED_DOMAIN, buffers=(3,))
def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, scale: float, is_transposed: int
) -> Tensor:  # fmt: skip
    """Return softmax(scale q k + mask) v."""
    k = k.transpose(-1, -2) if is_transposed else k
    return F.scaled_dot_product_attention(q, k, v, None if mask is None else mask.to(q.dtype), scale=scale)
