"""The ways in which a vector can scale the channels of a kernel: one factor for each element of an axis, or of groups.

A grouped convolution's kernel has one axis for the channels of one group only: [outputs, inputs / groups, ...], or
[inputs, outputs / groups, ...] where it is transposed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def channel_factors(shape: tuple[int, ...], vector: Array) -> Iterator[Array]:
    """Yield ``vector`` in each shape in which it scales channels of a kernel, broadcast against its ``shape``."""
    for axis, size in enumerate(shape):
        if len(shape) > 1 and size == vector.size:
            yield vector.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    if len(shape) > 2 and 0 < shape[1] < vector.size and vector.size % shape[1] == 0:
        groups = vector.size // shape[1]
        if shape[0] % groups == 0:
            rows = np.repeat(vector.reshape(groups, shape[1]), shape[0] // groups, axis=0)
            yield rows.reshape(*shape[:2], *[1] * (len(shape) - 2))


def channel_sums(kernel: Array, factor: Array) -> Iterator[Array]:
    """Yield what a layer gives where its input channels hold ``factor``, whichever axes its outputs stand on.

    The outputs of a projection into heads stand on two: [inputs, heads, size].
    """
    product = kernel * factor
    for kept in range(kernel.ndim):
        yield product.sum(axis=tuple(place for place in range(kernel.ndim) if place != kept))
    if kernel.ndim == 3:
        yield from (product.sum(axis=place).reshape(-1) for place in (0, 2))
