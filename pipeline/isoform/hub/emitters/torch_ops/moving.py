"""Operators that move elements and leave them as they are: shapes, joins, cuts."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.table import Integers, Tensor, at_least, number, numbers, op, replaced, static

_FARTHEST = 2**63 - 1


@op("Identity")
def identity(x: Tensor) -> Tensor:
    return x


@op("Reshape", known=(1,))
def reshape(x: Tensor, shape: Integers, *, allowzero: int = 0) -> Tensor:
    """Return x in another shape; a zero in it keeps the size of that axis unless allowzero."""
    dims = numbers(shape)
    if not allowzero:
        dims = [replaced(dim, 0, x.shape[axis]) if axis < x.dim() else dim for axis, dim in enumerate(dims)]
    return x.reshape(dims)


@op("Flatten")
def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """Return a matrix: the axes before ``axis`` are the rows."""
    axis = axis + x.dim() if axis < 0 else axis
    if axis == 0:
        return x.reshape(1, -1)
    return x.flatten(axis) if axis == 1 and x.dim() > 1 else x.reshape(*_rows(x, axis))


def _rows(x: Tensor, axis: int) -> tuple[Any, Any]:
    rows: Any = 1
    for size in x.shape[:axis]:
        rows = rows * size
    return rows, -1 if axis < x.dim() else 1


@op("Transpose")
def transpose(x: Tensor, *, perm: Sequence[int] | None = None) -> Tensor:
    return x.permute(list(perm) if perm is not None else list(reversed(range(x.dim()))))


@op("Squeeze", known=(1,))
def squeeze(x: Tensor, axes: Integers | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(static(axes, "Squeeze with axes")))


@op("Unsqueeze", known=(1,))
def unsqueeze(x: Tensor, axes: Integers) -> Tensor:
    wanted = static(axes, "Unsqueeze with axes")
    wanted = [wanted] if isinstance(wanted, int) else wanted
    rank = x.dim() + len(wanted)
    for axis in sorted(axis % rank for axis in wanted):
        x = x.unsqueeze(axis)
    return x


@op("Concat")
def concat(*tensors: Tensor, axis: int = 1) -> Tensor:
    return torch.cat(tensors, axis)


@op("Split", known=(1,))
def split(
    x: Tensor, split: Integers | None = None, *, outputs: int, axis: int = 0, num_outputs: int | None = None
) -> tuple[Tensor, ...]:
    """Return parts of the given sizes, or equal ones, of which the last may be smaller."""
    if split is not None:
        return _one_or_all(torch.split(x, numbers(split), axis), outputs)
    size = x.shape[axis]
    width = (size + outputs - 1) // outputs
    starts = [width * index for index in range(outputs)]
    parts = [x.narrow(axis, start, width) for start in starts[:-1]]
    return _one_or_all((*parts, x.narrow(axis, starts[-1], size - starts[-1])), outputs)


def _one_or_all(parts: Sequence[Tensor], outputs: int) -> Any:
    return parts[0] if outputs == 1 else tuple(parts)


@op("Slice", known=(1, 2, 3, 4))
def cut(
    x: Tensor, starts: Integers, ends: Integers, axes: Integers | None = None, steps: Integers | None = None
) -> Tensor:
    """Return what lies from starts to before ends along ``axes``; a negative step reads backwards."""
    firsts, lasts = numbers(starts), numbers(ends)
    along = list(range(len(firsts))) if axes is None else static(axes, "Slice with axes")
    strides = [1] * len(firsts) if steps is None else static(steps, "Slice with steps")
    for axis, start, end, step in zip(along, firsts, lasts, strides, strict=True):
        if step < 0:
            size = x.shape[axis]
            x, step = x.flip(axis), -step
            start, end = _from_behind(start, size), _from_behind(end, size)
        cuts: list[Any] = [slice(None)] * (axis % x.dim())
        x = x[(*cuts, slice(start, end, step))]
    return x


def _from_behind(index: Any, size: Any) -> Any:
    """Return where ``index`` stands when counted in the reversed axis; beyond its ends, at its ends."""
    if isinstance(index, torch.Tensor):
        return torch.where(index < 0, -1 - index, (size - 1 - index).clamp(min=0))
    if index < 0:
        return -1 - index
    return 0 if index == _FARTHEST else at_least(size - 1 - index, 0)


@op("Gather", known=(1,))
def gather(x: Tensor, indices: Any, *, axis: int = 0) -> Tensor:
    """Return the slices at ``indices``; negative ones count from the end."""
    if isinstance(indices, int):
        return x.select(axis, indices)
    indices = torch.as_tensor(indices, device=x.device)
    cuts: list[Any] = [slice(None)] * (axis % x.dim())
    return x[(*cuts, indices.to(torch.int64))]


@op("GatherElements")
def gather_elements(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    return x.gather(axis, nonnegative(indices, x.shape[axis]))


@op("GatherND")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Return x at index tuples in the last axis of ``indices``, apart for each of the leading batch axes."""
    batches = []
    for axis in range(batch_dims):
        shape = [1] * (indices.dim() - 1)
        shape[axis] = -1
        batches.append(torch.arange(x.shape[axis], device=x.device).reshape(shape))
    return x[(*batches, *indices.to(torch.int64).unbind(-1))]


def nonnegative(indices: Tensor, size: Any) -> Tensor:
    """Return indices counted from the start, as int64."""
    indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + size, indices)


@op("Expand", known=(1,))
def expand(x: Tensor, shape: Integers) -> Tensor:
    """Return x broadcast together with ``shape``: an axis is as long as the longer of the two."""
    dims = numbers(shape)
    x = x.reshape([1] * (len(dims) - x.dim()) + list(x.shape))
    dims = [1] * (x.dim() - len(dims)) + dims
    return x.expand([replaced(dim, 1, size) for dim, size in zip(dims, x.shape, strict=True)])


@op("Tile", known=(1,))
def tile(x: Tensor, repeats: Integers) -> Tensor:
    return x.repeat(numbers(repeats))


@op("Pad", known=(1, 3))
def pad(
    x: Tensor, pads: Integers, constant_value: Tensor | None = None, axes: Integers | None = None,
    *, mode: str = "constant", value: float = 0.0,
) -> Tensor:  # fmt: skip
    """Return x with elements added, or where negative taken away, at both ends of axes."""
    amounts = numbers(pads)
    along = range(x.dim()) if axes is None else [axis % x.dim() for axis in static(axes, "Pad with axes")]
    before, after = [0] * x.dim(), [0] * x.dim()
    for index, axis in enumerate(along):
        before[axis], after[axis] = amounts[index], amounts[index + len(amounts) // 2]
    if mode == "constant":
        ends = [end for pair in reversed(list(zip(before, after, strict=True))) for end in pair]
        fill = number(constant_value) if constant_value is not None else value
        return _filled(x, ends, fill)
    for axis, (first, last) in enumerate(zip(before, after, strict=True)):
        x = x.index_select(axis, _sources(mode, x.shape[axis], first, last)) if not _is_zero(first, last) else x
    return x


def _filled(x: Tensor, ends: list[Any], fill: Any) -> Tensor:
    """Return x padded with ``fill``, which may be computed: then the padding is marked first and filled afterwards."""
    if not isinstance(fill, torch.Tensor):
        return F.pad(x, ends, value=fill)
    outside = F.pad(torch.zeros_like(x, dtype=torch.bool), ends, value=True)
    return torch.where(outside, fill.to(x.dtype), F.pad(x, ends))


def _is_zero(*amounts: Any) -> bool:
    return all(isinstance(amount, int) and amount == 0 for amount in amounts)


def _sources(mode: str, size: Any, before: Any, after: Any) -> Tensor:
    """Return from which index of an axis each element of the padded axis is taken."""
    index = torch.arange(-before, size + after)
    if mode == "edge":
        return torch.minimum(index.clamp(min=0), torch.as_tensor(size - 1))
    if mode == "wrap":
        return torch.remainder(index, size)
    period = at_least(2 * (size - 1), 1)  # of an axis with one element, too
    return (size - 1) - (size - 1 - torch.remainder(index, period)).abs()


@op("Trilu", known=(1,))
def trilu(x: Tensor, k: Any = 0, *, upper: int = 1) -> Tensor:
    diagonal = number(static(k, "Trilu with k"))
    return torch.triu(x, diagonal) if upper else torch.tril(x, diagonal)


@op("DepthToSpace")
def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    if mode == "CRD":
        return F.pixel_shuffle(x, b)
    return x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // (b * b), h * b, w * b)


@op("SpaceToDepth")
def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).permute(order).reshape(n, c * b * b, h // b, w // b)


@op("ReverseSequence")
def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    """Return x with the first ``lengths[i]`` steps of row i in reverse order."""
    x = x.movedim((time_axis, batch_axis), (0, 1))
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)  # [time, 1]
    mirrored = torch.where(steps < lengths, lengths - 1 - steps, steps)  # [time, batch]
    index = mirrored.reshape(list(mirrored.shape) + [1] * (x.dim() - 2)).expand(x.shape)
    return x.gather(0, index).movedim((0, 1), (time_axis, batch_axis))


@op("CenterCropPad", known=(1,))
def center_crop_pad(x: Tensor, shape: Integers, *, axes: Sequence[int] | None = None) -> Tensor:
    """Return the middle of x, or x in the middle of zeros."""
    for axis, size in zip(axes or range(x.dim()), numbers(shape), strict=True):
        missing = size - x.shape[axis]
        cropped, padded = at_least(-missing, 0), at_least(missing, 0)
        x = x.narrow(axis, cropped // 2, x.shape[axis] - cropped)
        pads = [0] * (2 * x.dim())
        pads[2 * (x.dim() - 1 - axis % x.dim())] = padded // 2
        pads[2 * (x.dim() - 1 - axis % x.dim()) + 1] = padded - padded // 2
        x = F.pad(x, pads)
    return x
