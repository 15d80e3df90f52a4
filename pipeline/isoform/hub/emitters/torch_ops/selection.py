"""Operators that choose: the largest, the non-zero, places to write to."""

from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.moving import nonnegative
from isoform.hub.emitters.torch_ops.table import Tensor, number, op, static
from isoform.hub.emitters.torch_ops.unsigned import WIDENED, to_signed

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@op("TopK", known=(1,))
def top_k(x: Tensor, count: Any = None, *, k: int = 0, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:  # noqa: A002
    """Return the k largest or smallest along an axis, and their places; of equal ones the first come first."""
    wanted = number(count) if count is not None else k
    order = torch.argsort(
        to_signed(x) if x.dtype == torch.uint64 else x, dim=axis, descending=bool(largest), stable=True
    )
    places = order[(*[slice(None)] * (axis % x.dim()), slice(0, wanted))]
    wide = x.to(torch.int64) if x.dtype in WIDENED else x  # torch does not gather the unsigned ones
    return wide.gather(axis, places).to(x.dtype), places


@op("OneHot")
def one_hot(indices: Tensor, depth: Tensor, values: Tensor, *, axis: int = -1) -> Tensor:
    """Return values[1] at the indices along a new axis, values[0] elsewhere; indices out of range mark nothing."""
    size = number(depth.to(torch.int64))
    axis = axis + indices.dim() + 1 if axis < 0 else axis
    wanted = nonnegative(indices, size).unsqueeze(axis)
    shape = [1] * wanted.dim()
    shape[axis] = -1
    classes = torch.arange(size, device=indices.device).reshape(shape)
    return torch.where(wanted == classes, values[1], values[0])


@op("NonZero")
def non_zero(x: Tensor) -> Tensor:
    return torch.nonzero(x).t() if x.dim() else torch.nonzero(x.reshape(1)).t()[:0]


@op("Compress")
def compress(x: Tensor, condition: Tensor, *, axis: int | None = None) -> Tensor:
    places = torch.nonzero(condition).squeeze(1)
    return x.reshape(-1).index_select(0, places) if axis is None else x.index_select(axis, places)


@op("ScatterElements", "Scatter")
def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none") -> Tensor:
    places = nonnegative(indices, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, _REDUCTIONS[reduction])


@op("ScatterND")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """Return x with ``updates`` written, or joined by a reduction, at the index tuples in the last axis."""
    depth = indices.shape[-1]
    flat = torch.zeros_like(indices[..., 0], dtype=torch.int64)
    for axis, index in enumerate(indices.unbind(-1)):
        flat = flat * x.shape[axis] + nonnegative(index, x.shape[axis])
    rows = x.reshape(-1, *x.shape[depth:]) if depth < x.dim() else x.reshape(-1)
    written = updates.reshape(-1, *x.shape[depth:]) if depth < x.dim() else updates.reshape(-1)
    if reduction == "none":
        return rows.index_put((flat.reshape(-1),), written).reshape(x.shape)
    places = flat.reshape(-1, *[1] * (written.dim() - 1)).expand(written.shape)
    return rows.scatter_reduce(0, places, written, _REDUCTIONS[reduction]).reshape(x.shape)


@op("TensorScatter")
def tensor_scatter(
    past: Tensor, update: Tensor, begin: Tensor | None = None, *, axis: int = -2, mode: str = "linear"
) -> Tensor:
    """Return a cache with ``update`` written along ``axis``, for each row of the batch from its own index on."""
    steps = torch.arange(update.shape[axis], device=past.device).unsqueeze(0)
    places = steps if begin is None else steps + begin.reshape(-1, 1)  # [batch, step]
    places = torch.remainder(places, past.shape[axis]) if mode == "circular" else places
    shape = [1] * past.dim()
    shape[0], shape[axis] = places.shape
    return past.scatter(axis, places.to(torch.int64).reshape(shape).expand(update.shape), update)


@op("Unique")
def unique(x: Tensor, *, outputs: int, axis: int | None = None, sorted: int = 1) -> Any:  # noqa: A002
    """Return the distinct elements or slices, their first places, the way back, and their counts."""
    values, inverse, counts = torch.unique(x, sorted=True, return_inverse=True, return_counts=True, dim=axis)
    inverse = inverse.reshape(-1)
    steps = torch.arange(inverse.shape[0]).flip(0)
    first = torch.zeros_like(counts).scatter(0, inverse.flip(0), steps)  # the last write is the first place
    if not sorted:
        order = torch.argsort(first)
        values = values.index_select(axis or 0, order)
        inverse = torch.argsort(order)[inverse]
        first, counts = first[order], counts[order]
    return (values, first, inverse, counts)[:outputs] if outputs > 1 else values


@op("NonMaxSuppression", known=(2, 3, 4))
def non_max_suppression(
    boxes: Tensor, scores: Tensor, most: Any = 0, overlap: Any = 0.0, lowest: Any = None, *, center_point_box: int = 0
) -> Tensor:
    """Return [batch, class, box] of the boxes kept: the best, and those that overlap none kept too much."""
    limit, threshold = _first(most, "how many boxes to keep"), _first(overlap, "the overlap allowed")
    least = None if lowest is None else _first(lowest, "the lowest score")
    if torch.jit.is_tracing():
        static(boxes, "NonMaxSuppression of boxes")
    corners = _corners(boxes, center_point_box)
    kept = [
        [image, kind, box]
        for image in range(scores.shape[0])
        for kind in range(scores.shape[1])
        for box in _kept(corners[image], scores[image, kind], int(limit), threshold, least)
    ]
    return torch.tensor(kept, dtype=torch.int64).reshape(-1, 3)


def _first(value: Any, what: str) -> Any:
    known = static(value, f"NonMaxSuppression with {what}")
    return known[0] if isinstance(known, list) else known


def _corners(boxes: Tensor, is_centred: int) -> Tensor:
    """Return the two corners of each box, the smaller coordinates first."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if is_centred:
        return torch.cat([first - second / 2, first + second / 2], -1)
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], -1)


def _kept(boxes: Tensor, scores: Tensor, limit: int, threshold: float, least: float | None) -> list[int]:
    kept: list[int] = []
    for box in torch.argsort(scores, descending=True, stable=True).tolist():
        if len(kept) == limit or (least is not None and scores[box] <= least):
            break
        if all(_overlap(boxes[box], boxes[other]) <= threshold for other in kept):
            kept.append(box)
    return kept


def _overlap(one: Tensor, other: Tensor) -> float:
    """Return intersection over union."""
    sides = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0)
    shared = float(sides.prod())
    union = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - shared
    return shared / union if union > 0 else 0.0


@op("GridSample", since=20)
def grid_sample(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Tensor:
    """Return x sampled at the points of ``grid``, coordinates from -1 to 1."""
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    return F.grid_sample(x, grid, mode, padding_mode, bool(align_corners))


@op("GridSample", since=16)
def grid_sample_of_images(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros"
) -> Tensor:
    return F.grid_sample(x, grid, mode, padding_mode, bool(align_corners))


@op("AffineGrid", known=(1,))
def affine_grid(theta: Tensor, size: Any, *, align_corners: int = 0) -> Tensor:
    return F.affine_grid(theta, static(size, "AffineGrid with size"), bool(align_corners))
