"""The geometry of windows that slide over an image: padding on both sides, decided before or while running."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.table import Tensor, at_least

Pads = list[tuple[Any, Any]]


def window_pads(
    x: Tensor, auto_pad: str, pads: Sequence[int] | None,
    kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
) -> Pads:  # fmt: skip
    """Return (before, after) for each spatial axis of x [n, c, spatial...]."""
    rank = len(kernel)
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    if auto_pad in ("", "NOTSET"):
        pads = pads or [0] * (2 * rank)
        return list(zip(pads[:rank], pads[rank:], strict=True))
    result: Pads = []
    for axis, (width, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True), start=2):
        total = _missing(x, axis, stride, dilation * (width - 1) + 1)
        half = total // 2
        result.append((half, total - half) if auto_pad == "SAME_UPPER" else (total - half, half))
    return result


def _missing(x: Tensor, axis: int, stride: int, extent: int) -> Any:
    """Return how much padding makes ceil(size / stride) windows fit; known beforehand where the stride is 1."""
    if stride == 1:
        return extent - 1
    size = x.shape[axis]
    windows = (size + stride - 1) // stride
    return at_least((windows - 1) * stride + extent - size, 0)


def is_symmetric(pads: Pads) -> bool:
    """Tell whether both ends of every axis get the same padding, and it is known."""
    return all(isinstance(first, int) and isinstance(last, int) and first == last for first, last in pads)


def padded(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """Return x with its spatial axes padded."""
    return F.pad(x, [end for pair in reversed(pads) for end in pair], value=value)
