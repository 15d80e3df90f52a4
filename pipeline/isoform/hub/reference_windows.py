"""Operators of windows for ONNX' reference evaluator: the same sums, place by place of the kernel.

Its own ones gather every window's elements, which takes minutes where a network of images is evaluated. Here each place
of a kernel is one strided view of the padded input, and convolutions are products of matrices. What is not taken over
(an output of indices, a ceiling, odd paddings) goes to its own ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx.reference.ops.op_average_pool import AveragePool_19
from onnx.reference.ops.op_conv import Conv as OwnConv
from onnx.reference.ops.op_conv_transpose import ConvTranspose as OwnConvTranspose
from onnx.reference.ops.op_max_pool import MaxPool as OwnMaxPool

Array = npt.NDArray[Any]
_AS_GIVEN = (None, "NOTSET")
_PIECE_BYTES = 8 << 20
"""Of the windows that a convolution multiplies at once."""


@dataclass(frozen=True)
class _Windows:
    """Where a kernel goes over axes of these sizes, padding included: all have one entry an axis."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many places the kernel has along each axis."""
        return tuple(
            (size - (width - 1) * step - 1) // stride + 1
            for size, width, stride, step in zip(
                self.sizes, self.kernel, self.strides, self.dilations, strict=True
            )
        )  # fmt: skip

    def places(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Yield each place in the kernel with what it meets: a slice of the last axes."""
        for place in product(*map(range, self.kernel)):
            begins = [at * step for at, step in zip(place, self.dilations, strict=True)]
            yield (
                place,
                tuple(
                    slice(begin, begin + (count - 1) * stride + 1, stride)
                    for begin, count, stride in zip(begins, self.counts, self.strides, strict=True)
                ),
            )


def _ones(values: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    return tuple(values) if values else (1,) * rank


def _pads(
    pads: Sequence[int] | None, auto_pad: str | None, spatial: Sequence[int], windows: _Windows
) -> list[tuple[int, int]]:
    """Return the padding of each axis, before and behind."""
    rank = len(spatial)
    if auto_pad in _AS_GIVEN:
        given = list(pads) if pads else [0] * 2 * rank
        return list(zip(given[:rank], given[rank:], strict=True))
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    found = []
    for size, width, stride, step in zip(spatial, windows.kernel, windows.strides, windows.dilations, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + (width - 1) * step + 1 - size)
        less, more = total // 2, total - total // 2
        found.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
    return found


def _padded(x: Array, pads: Sequence[tuple[int, int]], value: Any) -> Array:
    if not any(map(any, pads)):
        return x
    return np.pad(x, [(0, 0), (0, 0), *pads], constant_values=value)


def _at(x: Array, met: Sequence[Any]) -> Array:
    """Return a view of the last axes."""
    index: Any = (..., *met)
    view: Array = x[index]
    return view


class Conv(OwnConv):
    """Conv of any rank, in groups."""

    def _run(
        self, x: Array, w: Array, b: Array | None = None, auto_pad: str | None = None,
        dilations: Sequence[int] | None = None, group: int | None = None, kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    ) -> tuple[Array]:  # fmt: skip
        rank, groups = x.ndim - 2, group or 1
        about = _Windows(x.shape[2:], w.shape[2:], _ones(strides, rank), _ones(dilations, rank))
        padded = _padded(x, _pads(pads, auto_pad, x.shape[2:], about), 0)
        windows = _Windows(padded.shape[2:], about.kernel, about.strides, about.dilations)
        weight = w.reshape(groups, len(w) // groups, -1)
        result = np.empty((len(x), groups, len(w) // groups, *windows.counts), x.dtype)
        for sample, answer in zip(padded.reshape(len(x), groups, -1, *padded.shape[2:]), result, strict=True):
            _convolved(sample, weight, windows, answer)
        result = result.reshape(len(x), len(w), *windows.counts)
        return (result if b is None else result + b.reshape(-1, *[1] * rank).astype(x.dtype),)


def _convolved(sample: Array, weight: Array, windows: _Windows, answer: Array) -> None:
    """Write the products of windows and weights into ``answer``, some rows at a time.

    Args:
        sample: [groups, channels, sizes], padded. weight: [groups, channels out, channels times places].
        answer: [groups, channels out, counts].
    """
    groups, channels = sample.shape[:2]
    height, *others = windows.counts
    row_bytes = weight[:, :1].size * prod(others) * sample.itemsize
    rows = max(1, _PIECE_BYTES // max(1, row_bytes))
    for begin in range(0, height, rows):
        end = min(height, begin + rows)
        columns = np.empty((groups, channels, prod(windows.kernel), end - begin, *others), sample.dtype)
        for place, (_, (first, *rest)) in enumerate(windows.places()):
            stride = windows.strides[0]
            here = slice(first.start + begin * stride, first.start + (end - 1) * stride + 1, stride)
            columns[:, :, place] = _at(sample, (here, *rest))
        found = np.matmul(weight, columns.reshape(groups, weight.shape[2], -1))
        answer[:, :, begin:end] = found.reshape(groups, -1, end - begin, *others)


class ConvTranspose(OwnConvTranspose):
    """ConvTranspose of any rank, in groups, where its padding is given."""

    def _run(
        self, x: Array, w: Array, b: Array | None = None, auto_pad: str | None = None,
        dilations: Sequence[int] | None = None, group: int | None = None, kernel_shape: Sequence[int] | None = None,
        output_padding: Sequence[int] | None = None, output_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    ) -> tuple[Array]:  # fmt: skip
        if auto_pad not in _AS_GIVEN or output_shape:
            return super()._run(
                x, w, b, auto_pad, dilations, group, kernel_shape, output_padding, output_shape, pads, strides
            )  # fmt: skip
        rank, groups = x.ndim - 2, group or 1
        steps, spread, counts = _ones(strides, rank), _ones(dilations, rank), x.shape[2:]
        further = tuple(output_padding) if output_padding else (0,) * rank
        sizes = tuple(
            (count - 1) * stride + (width - 1) * step + 1 + more
            for count, stride, width, step, more in zip(counts, steps, w.shape[2:], spread, further, strict=True)
        )
        weight = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
        flat = x.reshape(len(x), groups, -1, prod(counts))
        whole = np.zeros((len(x), groups * w.shape[1], *sizes), x.dtype)
        windows = _Windows(
            tuple(size - more for size, more in zip(sizes, further, strict=True)), w.shape[2:], steps, spread
        )
        for place, met in windows.places():
            given = np.matmul(_at(weight, place).swapaxes(1, 2), flat)
            view = _at(whole, met)
            view += given.reshape(len(x), -1, *counts)
        cut = list(pads) if pads else [0] * 2 * rank
        ends = [size - behind for size, behind in zip(sizes, cut[rank:], strict=True)]
        result = _at(whole, [*map(slice, cut[:rank], ends)])
        return (result if b is None else result + b.reshape(-1, *[1] * rank).astype(x.dtype),)


class MaxPool(OwnMaxPool):
    """MaxPool without indices, whose last window is whole."""

    def _run(
        self, x: Array, auto_pad: str | None = None, ceil_mode: int | None = None,
        dilations: Sequence[int] | None = None, kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, storage_order: int | None = None, strides: Sequence[int] | None = None,
    ) -> tuple[Array, ...]:  # fmt: skip
        if ceil_mode or len(self.onnx_node.output) > 1 or not kernel_shape:
            return super()._run(x, auto_pad, ceil_mode, dilations, kernel_shape, pads, storage_order, strides)
        rank = x.ndim - 2
        about = _Windows(x.shape[2:], tuple(kernel_shape), _ones(strides, rank), _ones(dilations, rank))
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        padded = _padded(x, _pads(pads, auto_pad, x.shape[2:], about), lowest)
        windows = _Windows(padded.shape[2:], about.kernel, about.strides, about.dilations)
        result = np.full((*x.shape[:2], *windows.counts), lowest, x.dtype)
        for _, met in windows.places():
            np.maximum(result, _at(padded, met), out=result)
        return (result,)


class AveragePool(AveragePool_19):
    """AveragePool whose last window is whole; what is padded counts where the attribute says so."""

    def _run(
        self, x: Array, auto_pad: str | None = None, ceil_mode: int | None = None,
        dilations: Sequence[int] | None = None, kernel_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None, count_include_pad: int | None = None,
    ) -> tuple[Array, ...]:  # fmt: skip
        if ceil_mode or not kernel_shape:
            return super()._run(x, auto_pad, ceil_mode, dilations, kernel_shape, pads, strides, count_include_pad)
        rank = x.ndim - 2
        about = _Windows(x.shape[2:], tuple(kernel_shape), _ones(strides, rank), _ones(dilations, rank))
        padding = _pads(pads, auto_pad, x.shape[2:], about)
        padded = _padded(x, padding, 0)
        counted = _padded(np.ones((1, 1, *x.shape[2:]), x.dtype), padding, int(bool(count_include_pad)))
        windows = _Windows(padded.shape[2:], about.kernel, about.strides, about.dilations)
        total, count = (np.zeros((*each.shape[:2], *windows.counts), x.dtype) for each in (padded, counted))
        for _, met in windows.places():
            total += _at(padded, met)
            count += _at(counted, met)
        return ((total / count).astype(x.dtype),)
