"""Deformable convolution: every element of the kernel reads the image at a place of its own."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.table import Tensor, op


@op("DeformConv")
def deform_conv(
    x: Tensor, w: Tensor, offset: Tensor, b: Tensor | None = None, mask: Tensor | None = None,
    *, dilations: Sequence[int] = (1, 1), group: int = 1, kernel_shape: Sequence[int] | None = None,
    offset_group: int = 1, pads: Sequence[int] = (0, 0, 0, 0), strides: Sequence[int] = (1, 1),
) -> Tensor:  # fmt: skip
    """Return x [n, c, h, w] convolved at offset places, read linearly, zero outside; each reading times its mask."""
    height, width = kernel_shape or w.shape[2:]
    taps, (n, c), (rows, columns) = height * width, x.shape[:2], offset.shape[2:]
    shifts = offset.reshape(n * offset_group, taps, 2, rows, columns)
    down = _places(rows, strides[0], pads[0], height, dilations[0], x).repeat_interleave(width, 0)[:, :, None]
    right = _places(columns, strides[1], pads[1], width, dilations[1], x).repeat(height, 1)[:, None, :]
    # Coordinates as grid_sample has them, the edges of the image at -1 and 1.
    y_grid = (2 * (down + shifts[:, :, 0]) + 1) / x.shape[2] - 1
    x_grid = (2 * (right + shifts[:, :, 1]) + 1) / x.shape[3] - 1
    grid = torch.stack([x_grid, y_grid], -1).reshape(n * offset_group, taps * rows, columns, 2)
    image = x.reshape(n * offset_group, c // offset_group, x.shape[2], x.shape[3])
    read = F.grid_sample(image, grid, "bilinear", "zeros", False).reshape(n, offset_group, -1, taps, rows * columns)
    if mask is not None:
        read = read * mask.reshape(n, offset_group, 1, taps, rows * columns)
    read = read.reshape(n, group, c // group * taps, rows * columns)
    kernel = w.reshape(group, w.shape[0] // group, c // group * taps)
    result = (kernel @ read).reshape(n, w.shape[0], rows, columns)
    return result if b is None else result + b.reshape(-1, 1, 1)


def _places(count: Any, stride: int, pad: int, kernel: Any, dilation: int, x: Tensor) -> Tensor:
    """Return [tap, place]: where each tap of a kernel would read along one axis without an offset."""
    begin = torch.arange(count, device=x.device) * stride - pad
    return (torch.arange(kernel, device=x.device).unsqueeze(1) * dilation + begin).to(x.dtype)
