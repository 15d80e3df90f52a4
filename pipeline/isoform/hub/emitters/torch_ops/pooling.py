"""Pooling over windows and over whole images."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.reduction import lowest
from isoform.hub.emitters.torch_ops.table import Integers, Tensor, numbers, op
from isoform.hub.emitters.torch_ops.windows import Pads, is_symmetric, padded, window_pads

_MAX_POOLS: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOLS: dict[int, Any] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_CONVOLUTIONS: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@op("MaxPool")
def max_pool(
    x: Tensor, *, outputs: int, kernel_shape: Sequence[int], strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None, auto_pad: str = "NOTSET", dilations: Sequence[int] | None = None,
    ceil_mode: int = 0, storage_order: int = 0,
) -> Any:  # fmt: skip
    """Return the largest of each window, and where asked for its place in the flattened input."""
    rank = len(kernel_shape)
    strides, dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
    around = window_pads(x, auto_pad, pads, kernel_shape, strides, dilations)
    data = x if x.is_floating_point() else x.to(torch.float64)
    low = lowest(data.dtype)
    fits = is_symmetric(around) and all(first <= k // 2 for (first, _), k in zip(around, kernel_shape, strict=True))
    inner = [first for first, _ in around] if fits else 0
    data = data if fits else padded(data, around, low)
    pooled, index = _MAX_POOLS[rank](
        data, kernel_shape, strides, inner, dilations, bool(ceil_mode), return_indices=True
    ) if outputs > 1 else (
        _MAX_POOLS[rank](data, kernel_shape, strides, inner, dilations, bool(ceil_mode)), None
    )  # fmt: skip
    pooled = pooled.to(x.dtype)
    return pooled if index is None else (pooled, _places(index, x, data, [] if fits else around, storage_order))


def _places(index: Tensor, x: Tensor, data: Tensor, around: Pads, storage_order: int) -> Tensor:
    """Return indices into the whole flattened x from indices into one padded image."""
    coordinates = []
    for axis in reversed(range(2, x.dim())):
        coordinate = index % data.shape[axis]
        index = index // data.shape[axis]
        coordinates.append(coordinate - (around[axis - 2][0] if around else 0))
    axes = range(2, x.dim()) if not storage_order else reversed(range(2, x.dim()))
    flat = torch.zeros_like(coordinates[0])
    for axis in axes:
        flat = flat * x.shape[axis] + coordinates[x.dim() - 1 - axis]
    image = x[0, 0].numel()
    first = torch.arange(x.shape[0] * x.shape[1]) * image
    return flat + first.reshape(x.shape[0], x.shape[1], *[1] * (x.dim() - 2))


@op("AveragePool")
def average_pool(
    x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int] | None = None, pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET", dilations: Sequence[int] | None = None, ceil_mode: int = 0, count_include_pad: int = 0,
) -> Tensor:  # fmt: skip
    """Return the mean of each window, padding counted only where asked for."""
    rank = len(kernel_shape)
    strides, spread = list(strides or [1] * rank), list(dilations or [1] * rank)
    around = window_pads(x, auto_pad, pads, kernel_shape, strides, spread)
    half = all(first <= k // 2 for (first, _), k in zip(around, kernel_shape, strict=True))
    if set(spread) == {1} and is_symmetric(around) and half:
        inner = [first for first, _ in around]
        return _AVERAGE_POOLS[rank](x, kernel_shape, strides, inner, bool(ceil_mode), bool(count_include_pad))
    ones = torch.ones_like(x[:1, :1])
    counted = padded(ones, around, float(count_include_pad))
    sums = _window_sums(padded(x, around), kernel_shape, strides, spread, ceil_mode)
    return sums / _window_sums(counted, kernel_shape, strides, spread, ceil_mode)


@op("LpPool")
def lp_pool(
    x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int] | None = None, pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET", dilations: Sequence[int] | None = None, ceil_mode: int = 0, p: int = 2,
) -> Tensor:  # fmt: skip
    rank = len(kernel_shape)
    strides, spread = list(strides or [1] * rank), list(dilations or [1] * rank)
    around = window_pads(x, auto_pad, pads, kernel_shape, strides, spread)
    return _window_sums(padded(x.abs() ** p, around), kernel_shape, strides, spread, ceil_mode) ** (1 / p)


def _window_sums(
    x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], ceil_mode: int
) -> Tensor:
    """Return the sums over windows of each channel apart."""
    rank = len(kernel)
    if ceil_mode:
        x = padded(x, [_rest(x.shape[axis + 2], kernel[axis], strides[axis], dilations[axis]) for axis in range(rank)])
    images = x.reshape(-1, 1, *x.shape[2:])
    sums = _CONVOLUTIONS[rank](images, images.new_ones(1, 1, *kernel), None, list(strides), 0, list(dilations))
    return sums.reshape(*x.shape[:2], *sums.shape[2:])


def _rest(size: Any, width: int, stride: int, dilation: int) -> tuple[int, Any]:
    """Return the padding behind that completes the last window, if that window begins within the axis."""
    return 0, (stride - (size - dilation * (width - 1) - 1) % stride) % stride


@op("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    return x.mean(list(range(2, x.dim())), keepdim=True)


@op("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    return x.amax(list(range(2, x.dim())), keepdim=True)


@op("GlobalLpPool")
def global_lp_pool(x: Tensor, *, p: int = 2) -> Tensor:
    return (x.abs() ** p).sum(list(range(2, x.dim())), keepdim=True) ** (1 / p)


@op("MaxUnpool", known=(2,))
def max_unpool(
    x: Tensor, places: Tensor, output_shape: Integers | None = None,
    *, kernel_shape: Sequence[int], strides: Sequence[int] | None = None, pads: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Return zeros with x at the places that MaxPool took it from."""
    rank = len(kernel_shape)
    steps, around = strides or [1] * rank, pads or [0] * (2 * rank)
    natural = [
        (x.shape[a + 2] - 1) * steps[a] + kernel_shape[a] - around[a] - around[a + rank] for a in range(rank)
    ]  # fmt: skip
    shape = [*x.shape[:2], *natural]
    sizes = shape if output_shape is None else numbers(output_shape)
    if output_shape is not None:  # places count within the natural shape
        places = _replaced(places, shape, sizes)
    flat = x.new_zeros(sizes).reshape(-1)
    return flat.scatter(0, places.reshape(-1), x.reshape(-1)).reshape(sizes)


def _replaced(places: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """Return flat ``places`` of the shape ``before`` as flat places of the shape ``after``."""
    flat, stride = torch.zeros_like(places), 1
    for size, wanted in zip(reversed(before), reversed(after), strict=True):
        flat = flat + places % size * stride
        places, stride = places // size, stride * wanted
    return flat
