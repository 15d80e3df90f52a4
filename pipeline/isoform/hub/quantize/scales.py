"""Scale and zero point from numbers: of activations by their range, of weights by their largest values.

Eight bits with a sign throughout: what LiteRT computes in, and as fast as unsigned ones on ONNX Runtime. Not aware of
graphs.
"""

from collections.abc import Sequence

import numpy as np

from isoform.core.protocols import Array
from isoform.hub.quantization import Quantization

LOWEST, HIGHEST = -128, 127
UNSATURATED = 64
"""The largest integer of a weight that ONNX Runtime multiplies the same everywhere: x86 processors without VNNI add two
products with activations of 0 to 255 in sixteen bits with a sign, and 2 * 255 * 64 is the last to fit."""
_LARGEST_INT32 = 2**31 - 1
_SMALLEST_SCALE = 2.0**-100
"""Products of two such scales are still normal numbers in float32's exponent range where the other is near one."""
_PIECE = 1 << 20
"""Elements quantised at once, so that no second copy of a large weight is there in floats."""


def of_range(low: float, high: float, *, is_symmetric: bool = False, ceiling: float | None = None) -> Quantization:
    """Return what 256 integers stand for so that they reach from ``low`` to ``high`` and hold 0 exactly.

    Args:
        is_symmetric: around 0, from -127 to 127.
        ceiling: a number that the highest integer must not stand for more than, as runtimes leave out a Clip only then.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if is_symmetric:
        scale = np.float32(max(-low, high, HIGHEST * _SMALLEST_SCALE) / HIGHEST)
        return Quantization(np.array(scale), np.zeros((), np.int64), "int8")
    scale = np.float32(max(high - low, (HIGHEST - LOWEST) * _SMALLEST_SCALE) / (HIGHEST - LOWEST))
    zero = int(np.clip(np.round(LOWEST - low / float(scale)), LOWEST, HIGHEST))
    while ceiling is not None and np.float32(HIGHEST - zero) * scale > np.float32(ceiling):
        scale = np.nextafter(scale, np.float32(0))
    return Quantization(np.array(scale), np.array(zero, np.int64), "int8")


def of_weight(weight: Array, axis: int | None, smallest: Array | None = None, highest: int = HIGHEST) -> Quantization:
    """Return a scale around 0 for each place of ``axis``, or one for the whole weight.

    Args:
        highest: the integer that stands for the largest value.
        smallest: the least scale of each, [channels]: what a bias in steps of it still needs to fit in int32.
    """
    others = tuple(each for each in range(weight.ndim) if each != axis) if axis is not None else None
    largest = np.maximum(np.abs(weight.max(axis=others)), np.abs(weight.min(axis=others))).astype(np.float64)
    scale = np.maximum(largest / highest, _SMALLEST_SCALE if smallest is None else smallest)
    # Where nothing is stored any scale will do, but not one in whose steps a bias overflows.
    scale = np.where(largest == 0, np.maximum(scale, 1.0), scale).astype(np.float32)
    return Quantization(scale, np.zeros(scale.shape, np.int64), "int8", axis)


def smallest_for(bias: Array | None, step: float) -> Array | None:
    """Return the least scale of each channel of a weight whose bias counts products of it with ``step`` in int32."""
    if bias is None:
        return None
    return np.maximum(np.abs(bias.astype(np.float64)) / step / (_LARGEST_INT32 // 2), _SMALLEST_SCALE)


def integers(weight: Array, found: Quantization) -> Array:
    """Return the nearest integers around 0 of a weight [channels, ...], halves to even, from -127 to 127."""
    result = np.empty(weight.shape, np.int8)
    shape = [-1 if each == found.axis else 1 for each in range(weight.ndim)] if found.axis is not None else []
    scale = np.broadcast_to(found.scale.reshape(shape), weight.shape)
    step = max(1, _PIECE // max(1, weight[:1].size))
    for start in range(0, len(weight), step):
        piece = slice(start, start + step)
        result[piece] = np.clip(np.round(weight[piece] / scale[piece]), -HIGHEST, HIGHEST)
    return result


def bias_integers(bias: Array, scales: Sequence[Array]) -> tuple[Array, Array]:
    """Return a bias in int32 and its steps, float32 [channels]: the scales of input and weight multiplied."""
    product = np.multiply(*(each.astype(np.float64) for each in scales)).astype(np.float32)
    steps = np.broadcast_to(product.reshape(-1), bias.shape) if product.size == 1 else product
    units = np.clip(np.round(bias.astype(np.float64) / steps), -_LARGEST_INT32, _LARGEST_INT32)
    return units.astype(np.int32), np.ascontiguousarray(steps)
