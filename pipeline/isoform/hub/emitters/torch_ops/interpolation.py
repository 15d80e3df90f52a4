"""Resampling one axis: where each new element lies in the old axis, and what of the old elements goes into it.

Coordinates are float64; those that are rounded to the nearest element are float32, so that ties fall as they do in ONNX
Runtime. Formulas: ONNX' Resize. Sizes may be 0-D tensors, as they are while tracing.
"""

from dataclasses import dataclass
from typing import Any

import torch

from isoform.hub.emitters.torch_ops.table import Tensor


@dataclass(frozen=True)
class Axis:
    """An axis to be resampled.

    Attributes:
        size: elements before.
        wanted: elements after.
        scale: how many times longer it gets; ``wanted`` is this rounded.
        roi: first and last coordinate, as parts of the axis, of what is cut out; None takes all.
    """

    index: int
    size: Any
    wanted: Any
    scale: Any
    roi: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Filter:
    """How new elements are made of old ones, in the terms of ONNX' attributes."""

    mode: str
    coordinates: str
    nearest: str = "round_prefer_floor"
    cubic_a: float = -0.75
    excludes_outside: bool = False
    is_antialiased: bool = False
    extrapolation: float = 0.0


def resampled(x: Tensor, axis: Axis, kind: Filter) -> Tensor:
    """Return x with one axis resampled."""
    dtype = torch.float32 if kind.mode == "nearest" else torch.float64
    places = coordinates(axis, kind.coordinates, x.device, dtype)
    if kind.mode == "nearest":
        result = x.index_select(axis.index, _nearest(places, kind.nearest).clamp(min=0).minimum(_last(axis)))
    else:
        floats = x.dtype if x.is_floating_point() else torch.float32
        weights = _weights(places, axis, kind).to(floats)  # [wanted, size]
        result = (x.to(floats).movedim(axis.index, -1) @ weights.t()).movedim(-1, axis.index)
        result = result if x.is_floating_point() else result.to(x.dtype)
    if axis.roi is None or kind.coordinates != "tf_crop_and_resize":
        return result
    shape = [1] * x.dim()
    shape[axis.index] = -1
    outside = ((places < 0) | (places > _last(axis))).reshape(shape)
    return torch.where(outside, torch.full_like(result, kind.extrapolation), result)


def _number(value: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.as_tensor(value, dtype=dtype)


def _last(axis: Axis) -> Tensor:
    return torch.as_tensor(axis.size - 1)


def coordinates(axis: Axis, mode: str, device: Any, dtype: torch.dtype) -> Tensor:
    """Return where in the old axis each element of the new one lies."""
    steps = torch.arange(axis.wanted, device=device).to(dtype)
    size, wanted, scale = (_number(value, dtype) for value in (axis.size, axis.wanted, axis.scale))
    if mode == "align_corners":
        return steps * (size - 1) / (wanted - 1).clamp(min=1)
    if mode == "asymmetric":
        return steps / scale
    if mode == "tf_half_pixel_for_nn":
        return (steps + 0.5) / scale
    if mode == "tf_crop_and_resize":
        start, end = (_number(edge, dtype) for edge in axis.roi or (0.0, 1.0))
        spread = start * (size - 1) + steps * (end - start) * (size - 1) / (wanted - 1).clamp(min=1)
        return torch.where(wanted > 1, spread, 0.5 * (start + end) * (size - 1))
    half = (steps + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return torch.where(wanted > 1, half, torch.zeros_like(half))
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - wanted / (scale * size)) + half
    return half


def _nearest(places: Tensor, mode: str) -> Tensor:
    if mode == "round_prefer_floor":
        places = torch.ceil(places - 0.5)
    elif mode == "round_prefer_ceil":
        places = torch.floor(places + 0.5)
    else:
        places = torch.floor(places) if mode == "floor" else torch.ceil(places)
    return places.to(torch.int64)


def _weights(places: Tensor, axis: Axis, kind: Filter) -> Tensor:
    """Return [wanted, size]: the part of each old element in each new one."""
    stretch = _number(axis.scale).clamp(max=1.0) if kind.is_antialiased else _number(1.0)
    reach = 1 if kind.mode == "linear" else 2
    first = torch.floor(-reach / stretch).to(torch.int64) + 1
    taps = torch.arange(_plain(first), _plain(2 - first), device=places.device)  # both sides of a coordinate
    positions = torch.floor(places).to(torch.int64).unsqueeze(1) + taps  # [wanted, tap]
    distance = (positions - places.unsqueeze(1)).abs() * stretch
    parts = (1 - distance).clamp(min=0) if kind.mode == "linear" else _cubic(distance, kind.cubic_a)
    inside = (positions >= 0) & (positions <= _last(axis))
    if kind.excludes_outside:
        parts = torch.where(inside, parts, torch.zeros_like(parts))
    if kind.excludes_outside or kind.is_antialiased:
        parts = parts / parts.sum(1, keepdim=True)
    whole = parts.new_zeros([axis.wanted, axis.size])
    return whole.scatter_add(1, positions.clamp(min=0).minimum(_last(axis)), parts)


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Return Keys' cubic convolution kernel (1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance.square() + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    zero = torch.zeros_like(distance)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, zero))


def _plain(value: Tensor) -> Any:
    return value if torch.jit.is_tracing() else int(value)
