"""Reading an image between its pixels: the neighbours of positions, weighed. GridSample stands here.

An image is [n, spatial..., c] in this file; a position is one float tensor [n, m] for each spatial axis, in pixels.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.interpolation import cubic_weights
from isoform.hub.emitters.tf_ops.layout import spatial_sizes, to_channels_first, to_channels_last

Combine = Callable[[Tensor, Tensor], Tensor]
Inside = Callable[[Tensor, Any], Tensor]
"""Takes indices and the size of their axis, and returns indices within it."""
_CUBIC_COEFFICIENT = -0.75


@op("GridSample", since=16)
def grid_sample(call: Call) -> Tensor:
    """Return x read at the positions of a grid [n, out..., axis], which runs from -1 to 1, last axis first."""
    x, grid = to_channels_last(call[0]), call[1]
    is_corner_aligned = bool(call.attr_int("align_corners"))
    wide = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    places = tf.unstack(tf.cast(grid, wide.dtype), axis=-1)[::-1]
    sizes = spatial_sizes(x)
    at = [_pixels(place, size, is_corner_aligned) for place, size in zip(places, sizes, strict=True)]
    flat = [tf.reshape(place, [tf.shape(grid)[0], -1]) for place in at]
    mode = call.attr_string("mode", "linear").removeprefix("bi")
    read = sample(wide, flat, mode, _padding(call.attr_string("padding_mode", "zeros"), is_corner_aligned))
    result = tf.reshape(read, tf.concat([tf.shape(grid)[:-1], tf.shape(x)[-1:]], 0))
    result = tf.ensure_shape(result, [*grid.shape[:-1], x.shape[-1]])
    return to_channels_first(tf.cast(result, x.dtype))


@op("AffineGrid", since=20)
def affine_grid(call: Call) -> Tensor:
    """Return where each pixel of an image of ``size`` reads under theta [n, axis, axis + 1], last axis first."""
    theta, axes = call[0], call[0].shape[1]
    sizes = tf.unstack(tf.cast(tf.ensure_shape(call[1], [axes + 2]), tf.int32))[2:]
    lines = [_line(size, bool(call.attr_int("align_corners")), theta.dtype) for size in sizes]
    grid = tf.stack([*tf.meshgrid(*lines, indexing="ij")[::-1], tf.ones(tf.stack(sizes), theta.dtype)], -1)
    rows = tf.matmul(tf.reshape(grid, [-1, axes + 1]), theta, transpose_b=True)  # [n, pixel, axis]
    return tf.reshape(rows, tf.stack([tf.shape(theta)[0], *sizes, axes]))


def _line(size: Tensor, is_corner_aligned: bool, dtype: Any) -> Tensor:
    """Return the places of the pixels of one axis, which runs from -1 to 1; a lone one is in the middle."""
    index, total = tf.range(tf.cast(size, dtype)), tf.cast(size, dtype)
    if is_corner_aligned:
        return tf.where(total > 1, index * 2 / tf.maximum(total - 1, 1) - 1, tf.zeros_like(index))
    return (index * 2 + 1) / total - 1


def _pixels(place: Tensor, size: Any, is_corner_aligned: bool) -> Tensor:
    size = tf.cast(size, place.dtype)
    return (place + 1) / 2 * (size - 1) if is_corner_aligned else ((place + 1) * size - 1) / 2


def _padding(mode: str, is_corner_aligned: bool) -> Inside | None:
    """Return how indices outside are brought inside; None where they read zero."""
    if mode == "zeros":
        return None
    if mode == "border":
        return lambda index, size: tf.clip_by_value(index, 0, size - 1)
    return _mirror_at_centres if is_corner_aligned else _mirror_at_edges


def _mirror_at_centres(index: Tensor, size: Any) -> Tensor:
    period = tf.maximum(2 * (size - 1), 1)
    folded = tf.math.floormod(index, period)
    return tf.minimum(tf.minimum(folded, period - folded), size - 1)


def _mirror_at_edges(index: Tensor, size: Any) -> Tensor:
    folded = tf.math.floormod(index, 2 * size)
    return tf.minimum(folded, 2 * size - 1 - folded)


def sample(
    x: Tensor, positions: Sequence[Tensor], mode: str, inside: Inside | None, combine: Combine = tf.add
) -> Tensor:
    """Return x [n, spatial..., c] read at positions, [n, m, c].

    Args:
        mode: ``nearest`` (of two, the even one), ``linear`` or ``cubic``.
        inside: brings the indices of neighbours into the image; None lets those outside read zero.
        combine: puts together what the neighbours give, each times its weight.
    """
    sizes = spatial_sizes(x)
    flat = tf.reshape(x, tf.stack([tf.shape(x)[0], -1, tf.shape(x)[-1]]))
    axes = [_neighbours(position, mode) for position in positions]
    terms = []
    for corner in product(*axes):
        index, is_inside = _flat_index([index for index, _ in corner], sizes, inside)
        values = tf.gather(flat, index, batch_dims=1)
        if is_inside is not None:
            values = tf.where(is_inside[..., None], values, tf.zeros([], x.dtype))
        weight = reduce(tf.multiply, [weight for _, weight in corner])
        terms.append(values * weight[..., None])
    return reduce(combine, terms)


def _neighbours(position: Tensor, mode: str) -> list[tuple[Tensor, Tensor]]:
    """Return the indices of the neighbours along one axis, with their weights."""
    if mode == "nearest":
        return [(tf.cast(tf.round(position), tf.int32), tf.ones_like(position))]
    low = tf.floor(position)
    fraction = position - low
    first = tf.cast(low, tf.int32)
    if mode == "linear":
        return [(first, 1 - fraction), (first + 1, fraction)]
    weights = cubic_weights(fraction, _CUBIC_COEFFICIENT)
    return [(first + offset, weight) for offset, weight in zip(range(-1, 3), weights, strict=True)]


def _flat_index(indices: Sequence[Tensor], sizes: Sequence[Any], inside: Inside | None) -> tuple[Tensor, Tensor | None]:
    """Return one index over all spatial axes, and where it is inside the image if that is asked."""
    number: Any = 0
    is_inside = None
    for index, size in zip(indices, sizes, strict=True):
        if inside is None:
            here = (index >= 0) & (index < size)
            is_inside = here if is_inside is None else is_inside & here
            index = tf.clip_by_value(index, 0, size - 1)
        else:
            index = inside(index, size)
        number = number * size + index
    return number, is_inside
