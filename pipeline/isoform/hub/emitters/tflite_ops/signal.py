"""Fourier transforms of a known length, as products with a constant matrix. A complex number is a last axis of two."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import require_dtype
from isoform.hub.emitters.tflite_ops.moving import concat, shape_of, size_at, strided_slice, to_shape
from isoform.hub.fourier import transform

_AXIS_INPUT_SINCE = 20


@op("DFT", since=17)
def discrete_fourier_transform(call: Call) -> Tensor:
    """Return the transform of x [batch, ..., 1 or 2] along one axis, cut or filled with zeros to ``dft_length``."""
    x, rank = call[0], len(call[0].shape)
    require_dtype(call, x, ("float32",))
    axis = call.int("axis", 1)
    if call.opset >= _AXIS_INPUT_SINCE:
        axis = _number(call, 2, "the axis", -2)
    order = list(range(rank))
    axis %= rank
    order[axis], order[rank - 2] = order[rank - 2], order[axis]
    is_inverse, is_onesided = bool(call.int("inverse", 0)), bool(call.int("onesided", 0))
    size = x.shape[axis]
    if size is None:
        raise call.refusal("an axis of dynamic size")
    length = _number(call, 1, "the length", 2 * (size - 1) if is_inverse and is_onesided else size)
    found = _transformed(call, _permuted(call, x, order), length, is_inverse=is_inverse, is_onesided=is_onesided)
    return _permuted(call, found, order)


@op("STFT", since=17)
def short_time_fourier_transform(call: Call) -> Tensor:
    """Return the transform of each frame of a signal [batch, n, 1 or 2] under a window: [batch, frame, bin, 2]."""
    signal, window = call[0], call.get(2)
    require_dtype(call, signal, ("float32",))
    step = _number(call, 1, "the step", 1)
    length = _number(call, 3, "the length", (window.shape[0] or 0) if window else 0)
    if not length:
        raise call.refusal("frames of dynamic length")
    frames = _frames(call, signal, step, length)
    if window is not None:
        frames = mul(call, frames, to_shape(call, window, [length, 1], [length, 1]))
    return _transformed(call, frames, length, is_inverse=False, is_onesided=bool(call.int("onesided", 1)))


def _frames(call: Call, signal: Tensor, step: int, length: int) -> Tensor:
    """Return the frames [batch, frame, length, 1 or 2] of a signal."""
    batch, size, parts = signal.shape
    count = None if size is None else (size - length) // step + 1
    if count is not None:
        places = call.constant(np.arange(count)[:, None] * step + np.arange(length))
    else:
        end = add(call, size_at(call, signal, 1), 1 - length)
        bounds = [call.constant(0), end, call.constant(step)]
        begins = to_shape(call, call.make(Code.RANGE, bounds, [None], schema.RangeOptionsT()), [-1, 1], [None, 1])
        places = add(call, begins, call.constant(np.arange(length)))
    options = schema.GatherOptionsT()
    options.axis = 1
    return call.make(Code.GATHER, [signal, places], [batch, count, length, parts], options)


def _transformed(call: Call, x: Tensor, length: int, *, is_inverse: bool, is_onesided: bool) -> Tensor:
    """Return the transform of x [..., n, 1 or 2] over its last axis but one."""
    *leading, size, parts = x.shape
    if parts is None:
        raise call.refusal("a last axis of dynamic size")
    matrix = transform(size or 0, length, parts, is_inverse=is_inverse, is_onesided=is_onesided)
    *_, bins, results = matrix.shape
    kernel = call.constant(matrix.reshape(-1, bins * results).T, "float32")
    rows = to_shape(call, x, [-1, kernel.shape[1] or 0], [None, kernel.shape[1]])
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    product = call.make(Code.FULLY_CONNECTED, [rows, kernel, None], [None, bins * results], options)
    return _with_leading(call, product, x, leading, [bins, results])


def _with_leading(call: Call, product: Tensor, x: Tensor, leading: Sequence[int | None], last: Sequence[int]) -> Tensor:
    """Return ``product`` with the axes of x that were joined in its first one, and ``last`` behind them."""
    if leading.count(None) <= 1:
        return to_shape(call, product, [-1 if size is None else size for size in (*leading, *last)], [*leading, *last])
    sizes = strided_slice(call, shape_of(call, x), [0], [len(leading)], [1], [len(leading)])
    target = concat(call, [sizes, call.constant(last)], 0, [len(leading) + len(last)])
    return call.make(Code.RESHAPE, [product, target], [*leading, *last], schema.ReshapeOptionsT())


def _permuted(call: Call, x: Tensor, order: Sequence[int]) -> Tensor:
    if list(order) == sorted(order):
        return x
    return call.make(
        Code.TRANSPOSE, [x, call.constant(order)], [x.shape[axis] for axis in order], schema.TransposeOptionsT()
    )


def _number(call: Call, index: int, what: str, default: int) -> int:
    """Return an input that has to be known, or ``default`` where it is left out."""
    if not call.has(index):
        return default
    array = call.array(index)
    if array is None:
        raise call.refusal(f"{what} computed while the model runs")
    return int(array.reshape(-1)[0])
