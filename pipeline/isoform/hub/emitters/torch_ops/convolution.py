"""Convolutions over one, two or three spatial axes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.table import Tensor, op
from isoform.hub.emitters.torch_ops.windows import is_symmetric, padded, window_pads

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@op("Conv")
def conv(
    x: Tensor, w: Tensor, b: Tensor | None = None,
    *, kernel_shape: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None, auto_pad: str = "NOTSET", group: int = 1,
) -> Tensor:  # fmt: skip
    """Return the convolution of x [n, c, spatial...] with w [out, c / group, spatial...]."""
    rank = w.dim() - 2
    strides, dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
    around = window_pads(x, auto_pad, pads, w.shape[2:], strides, dilations)
    if is_symmetric(around):
        return _CONVOLUTIONS[rank](x, w, b, strides, [first for first, _ in around], dilations, group)
    return _CONVOLUTIONS[rank](padded(x, around), w, b, strides, 0, dilations, group)


@op("ConvTranspose")
def conv_transpose(
    x: Tensor, w: Tensor, b: Tensor | None = None,
    *, kernel_shape: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None, auto_pad: str = "NOTSET",
    output_padding: Sequence[int] | None = None, output_shape: Sequence[int] | None = None, group: int = 1,
) -> Tensor:  # fmt: skip
    """Return the transposed convolution, whole first and then cut to what ``pads`` or the output's shape leave."""
    rank = w.dim() - 2
    strides, dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
    extra = list(output_padding or [0] * rank)
    whole = _TRANSPOSED[rank](x, w, None, strides, 0, 0, group, dilations)
    for axis in range(rank):
        whole = _lengthened(whole, axis + 2, extra[axis])
        before, after = _cuts(whole, x, axis, strides[axis], pads, auto_pad, output_shape)
        whole = _between(whole, axis + 2, before, after)
    return whole if b is None else whole + b.reshape(-1, *[1] * rank)


def _cuts(
    whole: Tensor, x: Tensor, axis: int, stride: int,
    pads: Sequence[int] | None, auto_pad: str, output_shape: Sequence[int] | None,
) -> tuple[Any, Any]:  # fmt: skip
    """Return how much is cut away at both ends of spatial axis ``axis``; less than nothing adds zeros."""
    if output_shape is None and auto_pad in ("", "NOTSET", "VALID"):
        rank = x.dim() - 2
        pads = pads or [0] * (2 * rank)
        return pads[axis], pads[axis + rank]
    wanted = output_shape[-(x.dim() - 2) :][axis] if output_shape is not None else x.shape[axis + 2] * stride
    surplus = whole.shape[axis + 2] - wanted
    half = surplus // 2
    return (half, surplus - half) if auto_pad == "SAME_UPPER" else (surplus - half, half)


def _lengthened(x: Tensor, axis: int, amount: int) -> Tensor:
    return padded(x, [(0, amount if other == axis else 0) for other in range(2, x.dim())]) if amount else x


def _between(x: Tensor, axis: int, before: Any, after: Any) -> Tensor:
    if isinstance(before, int) and isinstance(after, int) and before == after == 0:
        return x
    return padded(x, [(-before, -after) if other == axis else (0, 0) for other in range(2, x.dim())])


@op("ConvInteger")
def conv_integer(
    x: Tensor, w: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None,
    *, kernel_shape: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None, auto_pad: str = "NOTSET", group: int = 1,
) -> Tensor:  # fmt: skip
    """Return the convolution of the differences from the zero points; int32, exact below 2**53."""
    left, right = x.to(torch.float64), w.to(torch.float64)
    left = left if x_zero is None else left - x_zero
    right = right if w_zero is None else right - w_zero.reshape(-1, *[1] * (w.dim() - 1))
    result = conv(
        left, right, strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad, group=group
    )  # fmt: skip
    return result.to(torch.int32)


@op("Col2Im", known=(1, 2))
def col2im(
    x: Tensor, image: Sequence[int], block: Sequence[int],
    *, dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None, strides: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Return the image whose overlapping blocks are the columns x [n, c * block, blocks], overlaps added."""
    rank = len(block)
    kernel = torch.eye(_product(block), dtype=x.dtype, device=x.device)  # one block an element
    n, columns, _ = x.shape
    channels = columns // _product(block)
    steps, spread, around = strides or [1] * rank, dilations or [1] * rank, pads or [0] * (2 * rank)
    counts = [
        (image[a] + around[a] + around[a + rank] - spread[a] * (block[a] - 1) - 1) // steps[a] + 1 for a in range(rank)
    ]
    blocks = x.reshape(n * channels, _product(block), *counts)
    whole = _TRANSPOSED[rank](blocks, kernel.reshape(-1, 1, *block), None, steps, 0, 0, 1, spread)
    for axis in range(rank):
        missing = image[axis] + around[axis] + around[axis + rank] - whole.shape[axis + 2]
        whole = _between(_lengthened(whole, axis + 2, missing), axis + 2, around[axis], around[axis + rank])
    return whole.reshape(n, channels, *image)


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result
