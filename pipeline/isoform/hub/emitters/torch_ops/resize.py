"""Resize and Upsample: PyTorch's own interpolation where it computes the same, else axis by axis."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from isoform.hub.emitters.torch_ops.interpolation import Axis, Filter, resampled
from isoform.hub.emitters.torch_ops.table import Integers, Tensor, numbers, op

_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
_CUBIC_A = -0.75
"""The coefficient that PyTorch's bicubic interpolation has."""


@op("Upsample", known=(1,))
@op("Resize", known=(1,))
def resize_by_scales(x: Tensor, factors: Any = None, *, mode: str = "nearest", scales: Any = None) -> Tensor:
    """Return x resized as before opset 11: coordinates divided by the scale, the nearest is the one below."""
    return resize(
        x, None, factors if scales is None else scales,
        mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


@op("Resize", since=11, known=(1, 2, 3))
def resize(
    x: Tensor, roi: Any = None, scales: Any = None, sizes: Integers | None = None,
    *, mode: str = "nearest", coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor", cubic_coeff_a: float = _CUBIC_A, exclude_outside: int = 0,
    extrapolation_value: float = 0.0, antialias: int = 0, axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Tensor:  # fmt: skip
    """Return x with axes resampled to other sizes, or by factors."""
    kind = Filter(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias),
        extrapolation_value,
    )  # fmt: skip
    along = [axis % x.dim() for axis in (axes if axes is not None else range(x.dim()))]
    is_by_scale = scales is not None and len(scales) > 0
    wanted = _by_scales(x, along, scales) if is_by_scale else _by_sizes(x, along, sizes, keep_aspect_ratio_policy)
    wanted = _with_regions(wanted, roi) if coordinate_transformation_mode == "tf_crop_and_resize" else wanted
    changed = [axis for axis in wanted if not _is_kept(axis, isinstance(scales, list))]
    is_plain = keep_aspect_ratio_policy == "stretch" and not (is_by_scale and _has_computed(changed))
    own = _own_mode(x, changed, kind) if is_plain else None
    if own is not None:
        result = _interpolated(x, changed, own, by_scale=is_by_scale)
    else:
        result = x
        for axis in changed:
            result = resampled(result, axis, kind)
    return result if is_by_scale or not torch.jit.is_tracing() else _checked(result, wanted)


def _by_scales(x: Tensor, along: list[int], scales: Any) -> list[Axis]:
    """Return the axes; a size is rounded down."""
    factors = scales if isinstance(scales, list) else list(scales.unbind(0))
    factors = factors if torch.jit.is_tracing() or isinstance(scales, list) else [float(each) for each in factors]
    return [
        Axis(axis, x.shape[axis], _rounded(x.shape[axis] * factor), factor)
        for axis, factor in zip(along, factors, strict=True)
    ]


def _rounded(size: Any) -> Any:
    return torch.floor(size).to(torch.int64) if isinstance(size, torch.Tensor) else int(size)


def _by_sizes(x: Tensor, along: list[int], sizes: Any, policy: str) -> list[Axis]:
    wanted = numbers(sizes)
    scales = [_ratio(size, x.shape[axis]) for size, axis in zip(wanted, along, strict=True)]
    if policy != "stretch":
        stacked = torch.stack([torch.as_tensor(scale, dtype=torch.float64) for scale in scales])
        scale = stacked.min() if policy == "not_larger" else stacked.max()
        common: Any = scale if torch.jit.is_tracing() else float(scale)
        scales = [common] * len(along)
        wanted = [_rounded(x.shape[axis] * common + 0.5) for axis in along]
    return [Axis(axis, x.shape[axis], size, scale) for axis, size, scale in zip(along, wanted, scales, strict=True)]


def _ratio(size: Any, before: Any) -> Any:
    if isinstance(size, torch.Tensor) or isinstance(before, torch.Tensor):
        return torch.as_tensor(size, dtype=torch.float64) / torch.as_tensor(before, dtype=torch.float64)
    return size / before


def _with_regions(axes: list[Axis], roi: Any) -> list[Axis]:
    edges = roi if isinstance(roi, list) else list(roi.unbind(0))
    count = len(axes)
    return [
        Axis(axis.index, axis.size, axis.wanted, axis.scale, (edges[place], edges[place + count]))
        for place, axis in enumerate(axes)
    ]


def _is_kept(axis: Axis, is_scale_known: bool) -> bool:
    """Tell whether nothing happens to an axis; of computed sizes that is what they say now, and is checked later."""
    if axis.roi is not None:
        return False
    return axis.scale == 1.0 if is_scale_known else axis.index < 2 and int(axis.size) == int(axis.wanted)


def _own_mode(x: Tensor, changed: list[Axis], kind: Filter) -> tuple[str, bool | None] | None:
    """Return (mode, align_corners) of F.interpolate where that computes the same; None where it does not."""
    is_image = 3 <= x.dim() <= 5 and all(axis.index >= 2 for axis in changed) and x.is_floating_point()
    if not is_image or kind.is_antialiased or kind.excludes_outside:
        return None
    if kind.mode == "nearest":
        return ("nearest", None) if (kind.coordinates, kind.nearest) == ("asymmetric", "floor") else None
    if kind.coordinates == "pytorch_half_pixel":
        is_aligned: bool | None = False if all(map(_is_never_one, changed)) else None
    else:
        is_aligned = {"half_pixel": False, "align_corners": True}.get(kind.coordinates)
    if is_aligned is None:
        return None
    if kind.mode == "linear":
        return _LINEAR[x.dim()], is_aligned
    return ("bicubic", is_aligned) if x.dim() == 4 and kind.cubic_a == _CUBIC_A else None


def _has_computed(axes: list[Axis]) -> bool:
    """Tell whether a scale is computed while tracing: PyTorch takes only numbers, or the ratio of whole sizes."""
    return any(isinstance(axis.scale, torch.Tensor) for axis in axes)


def _is_never_one(axis: Axis) -> bool:
    """Tell whether an axis is known not to be cut down to one element, where ONNX and PyTorch differ."""
    if isinstance(axis.wanted, torch.Tensor):
        return isinstance(axis.scale, float) and axis.scale >= 1
    return bool(axis.wanted > 1)


def _interpolated(x: Tensor, changed: list[Axis], own: tuple[str, bool | None], *, by_scale: bool) -> Tensor:
    mode, is_aligned = own
    if by_scale:
        factors = [1.0] * (x.dim() - 2)
        for axis in changed:
            factors[axis.index - 2] = axis.scale
        return F.interpolate(x, scale_factor=factors, mode=mode, align_corners=is_aligned)
    sizes = list(x.shape[2:])
    for axis in changed:
        sizes[axis.index - 2] = axis.wanted
    return F.interpolate(x, sizes, mode=mode, align_corners=is_aligned)


def _checked(result: Tensor, wanted: list[Axis]) -> Tensor:
    """Return ``result`` in a reshape that fails at run time if an axis left as it was has to change after all."""
    shape = list(result.shape)
    for axis in wanted:
        shape[axis.index] = axis.wanted
    return result.reshape(shape)
