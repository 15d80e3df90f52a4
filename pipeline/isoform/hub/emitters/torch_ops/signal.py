"""Fourier transforms. A complex number is a last axis of two: real, imaginary."""

from typing import Any

import torch

from isoform.hub.emitters.torch_ops.table import Integers, Tensor, op, static


@op("DFT", since=17, known=(1,))
def discrete_fourier_transform(
    x: Tensor, length: Any = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Tensor:
    """Return the transform of x [batch, ..., 1 or 2] along one axis, cut or filled with zeros to ``length``."""
    axis = axis % x.dim()
    size = None if length is None else _first(static(length, "the length of a transform"))
    signal = _complex(x)
    if inverse and onesided:
        return torch.fft.irfft(signal, size, axis).unsqueeze(-1)
    found = (torch.fft.ifft if inverse else torch.fft.fft)(signal, size, axis)
    return torch.view_as_real(_half(found, axis) if onesided else found)


@op("DFT", since=20, known=(1, 2))
def discrete_fourier_transform_along(
    x: Tensor, length: Any = None, axis: Any = None, *, inverse: int = 0, onesided: int = 0
) -> Tensor:
    """Return the same, the axis an input."""
    along = -2 if axis is None else _first(static(axis, "the axis of a transform"))
    return discrete_fourier_transform(x, length, axis=along, inverse=inverse, onesided=onesided)


@op("STFT", since=17, known=(1, 3))
def short_time_fourier_transform(
    signal: Tensor, step: Integers, window: Tensor | None = None, length: Any = None, *, onesided: int = 1
) -> Tensor:
    """Return the transform of each frame of a signal [batch, n, 1 or 2] under a window: [batch, frame, bin, 2]."""
    size = window.shape[0] if length is None and window is not None else _first(static(length, "the length of frames"))
    frames = signal.unfold(1, size, _first(static(step, "the step of frames")))  # [batch, frame, 1 or 2, n]
    if window is not None:
        frames = frames * window
    found = torch.fft.fft(_complex(frames.transpose(-1, -2)), dim=-1)
    return torch.view_as_real(_half(found, -1) if onesided else found)


def _complex(x: Tensor) -> Tensor:
    real = x[..., 0]
    return torch.complex(real, torch.zeros_like(real) if x.shape[-1] == 1 else x[..., 1])


def _half(x: Tensor, axis: int) -> Tensor:
    return x.narrow(axis, 0, x.shape[axis] // 2 + 1)


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, (list, tuple)) else value)
