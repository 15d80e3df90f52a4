"""Images in the size, the channels and the layout that an input asks for."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isoform.core.signature import TensorSpec
from isoform.data.dataset import Array
from isoform.errors import UsageError


def channels_wanted(spec: TensorSpec) -> int:
    """Return how many channels the images of ``spec`` have: 1 where they are flattened."""
    return _geometry(spec)[2]


def prepare_images(spec: TensorSpec, scale: float) -> Callable[[Sequence[Any]], Array]:
    """Return the function that makes a batch for ``spec``: float32, values in [0, 1].

    Its argument is a list of images [height, width, channel] whose largest possible value is ``scale``.

    Raises:
        UsageError: ``spec`` is not an image with a fixed size.
    """
    height, width, channels = _geometry(spec)

    def make_batch(samples: Sequence[Any]) -> Array:
        images = np.stack(samples).astype(np.float32) / np.float32(scale)
        images = with_channels(resize(images, height, width), channels)  # [n, height, width, channel]
        if spec.layout is None:
            images = images.reshape(len(images), -1)
        elif spec.layout == "NCHW":
            images = images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images, dtype=spec.dtype)

    return make_batch


def resize(images: Array, height: int, width: int) -> Array:
    """Return images [n, h, w, c] at another size, bilinear between pixel centres, edges held."""
    if images.shape[1:3] == (height, width):
        return images
    rows = _interpolation(images.shape[1], height)
    columns = _interpolation(images.shape[2], width)
    resized: Array = np.einsum("yh,nhwc,xw->nyxc", rows, images, columns, optimize=True)
    return resized


def with_channels(images: Array, channels: int) -> Array:
    """Return images with one channel repeated, or with several averaged to one; equal counts stay as they are."""
    if images.shape[-1] == channels:
        return images
    if images.shape[-1] == 1:
        return np.repeat(images, channels, axis=-1)
    return np.repeat(images.mean(axis=-1, keepdims=True), channels, axis=-1)


@functools.lru_cache
def _interpolation(size_in: int, size_out: int) -> Array:
    """Return the matrix [out, in] of bilinear interpolation, each row with at most two weights that sum to 1."""
    centres = np.clip((np.arange(size_out) + 0.5) * size_in / size_out - 0.5, 0, size_in - 1)
    below = np.floor(centres).astype(int)
    above = np.minimum(below + 1, size_in - 1)
    matrix = np.zeros((size_out, size_in), np.float32)
    np.add.at(matrix, (np.arange(size_out), below), 1 - (centres - below))
    np.add.at(matrix, (np.arange(size_out), above), centres - below)
    return matrix


def _geometry(spec: TensorSpec) -> tuple[int, int, int]:
    """Return height, width and channels of one image of ``spec``."""
    sizes = dict(zip(spec.layout or "NF", spec.shape, strict=False))
    if spec.layout in ("NCHW", "NHWC"):
        height, width, channels = sizes["H"], sizes["W"], sizes["C"]
    else:
        flat = sizes.get("F", 0)
        height = width = math.isqrt(flat) if isinstance(flat, int) else 0
        channels = 1 if height * height == flat else 0
    if len(spec.shape) not in (2, 4) or not all(isinstance(size, int) and size for size in (height, width, channels)):
        raise UsageError(
            f"The input {spec} is not an image that the bundled data fits.",
            'Declare [batch, side * side], or four dimensions with layout = "NCHW" or "NHWC" and fixed sizes.',
        )
    return int(height), int(width), int(channels)
