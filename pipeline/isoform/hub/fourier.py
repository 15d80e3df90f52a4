"""Discrete Fourier transforms of a known length as matrices, for targets that have no kernel for them."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def transform(size: int, length: int, parts: int, *, is_inverse: bool, is_onesided: bool) -> Array:
    """Return the matrix [size, parts, bins, 2 or 1] of a transform, over the first two axes.

    Args:
        size: of the axis that is transformed; it is cut, or filled with zeros, to ``length``.
        parts: 1 for real numbers, 2 for real and imaginary ones.
        is_onesided: forward, only the bins up to the middle; inverse, from those bins to real numbers.
    """
    if is_inverse and is_onesided:
        return _to_real(size, length)
    bins = length // 2 + 1 if is_onesided else length
    angles = 2 * np.pi * (np.outer(np.arange(size), np.arange(bins)) % length) / length
    cosine, sine = np.cos(angles), np.sin(angles) * (1 if is_inverse else -1)
    real, imaginary = np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)
    matrix = np.stack([real, imaginary][:parts], 1) / (length if is_inverse else 1)
    matrix[length:] = 0
    return matrix


def _to_real(size: int, length: int) -> Array:
    """Return the matrix [size, 2, length, 1] from the bins up to the middle; the others mirror them."""
    bins = np.arange(size)
    weights = np.where((bins == 0) | (2 * bins == length), 1.0, 2.0) * (bins <= length // 2) / length
    angles = 2 * np.pi * (np.outer(bins, np.arange(length)) % length) / length
    return np.stack([np.cos(angles), -np.sin(angles)], 1)[..., None] * weights[:, None, None, None]
