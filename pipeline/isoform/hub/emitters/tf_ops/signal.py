"""Fourier transforms and what stands around them. A complex number is a last axis of two: real, imaginary."""

from typing import Any

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("DFT", since=17)
def discrete_fourier_transform(call: Call) -> Tensor:
    """Return the transform of x [batch, ..., 1 or 2] along one axis, cut or filled with zeros to ``dft_length``."""
    x = call[0]
    axis = call.attr_int("axis", 1) if call.opset < 20 else -2 if call[2] is None else tf.reshape(call[2], [])
    order = _swapped(len(x.shape), tf.cast(axis, tf.int32))
    is_inverse, is_onesided = bool(call.attr_int("inverse")), bool(call.attr_int("onesided"))
    length = None if call[1] is None else tf.cast(tf.reshape(call[1], []), tf.int32)
    result = _transformed(tf.ensure_shape(tf.transpose(x, order), _any_but_last(x)), length, is_inverse, is_onesided)
    return tf.cast(tf.transpose(result, order), x.dtype)


def _swapped(rank: int, axis: Tensor) -> Tensor:
    """Return the order of axes with ``axis`` and the last but one in each other's place."""
    axis, last, order = tf.math.floormod(axis, rank), rank - 2, tf.range(rank)
    return tf.where(order == axis, last, tf.where(order == last, axis, order))


def _any_but_last(x: Tensor) -> list[int | None]:
    return [*[None] * (len(x.shape) - 1), x.shape[-1]]


def _transformed(x: Tensor, length: Any, is_inverse: bool, is_onesided: bool) -> Tensor:
    """Return the transform of x [..., n, 1 or 2] over its last axis but one."""
    signal = _complex(x)
    if is_inverse and is_onesided:
        length = 2 * (tf.shape(signal)[-1] - 1) if length is None else length
        return tf.signal.irfft(signal, length[None])[..., None]
    if length is not None:
        kept = signal[..., :length]
        rank = len(signal.shape)
        missing = length - tf.shape(kept)[-1]
        signal = tf.pad(kept, tf.concat([tf.zeros([rank - 1, 2], tf.int32), [[0, missing]]], 0))
        signal = tf.ensure_shape(signal, [*x.shape[:-2], None])
    result = (tf.signal.ifft if is_inverse else tf.signal.fft)(signal)
    if is_onesided:
        result = result[..., : tf.shape(result)[-1] // 2 + 1]
    return tf.stack([tf.math.real(result), tf.math.imag(result)], -1)


def _complex(x: Tensor) -> Tensor:
    wide = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    if x.shape[-1] == 1:
        return tf.complex(wide[..., 0], tf.zeros_like(wide[..., 0]))
    return tf.complex(wide[..., 0], wide[..., 1])


@op("STFT", since=17)
def short_time_fourier_transform(call: Call) -> Tensor:
    """Return the transform of each frame of a signal [batch, n, 1 or 2] under a window: [batch, frame, bin, 2]."""
    signal, step, window = call[0], tf.cast(tf.reshape(call[1], []), tf.int32), call[2]
    length = tf.shape(window)[0] if call[3] is None else tf.cast(tf.reshape(call[3], []), tf.int32)
    count = (tf.shape(signal)[1] - length) // step + 1
    index = tf.range(count)[:, None] * step + tf.range(length)[None, :]
    frames = tf.gather(signal, index, axis=1)  # [batch, frame, n, 1 or 2]
    if window is not None:
        frames *= tf.cast(window, signal.dtype)[:, None]
    return tf.cast(_transformed(frames, None, False, bool(call.attr_int("onesided", 1))), signal.dtype)


@op("MelWeightMatrix", since=17)
def mel_weight_matrix(call: Call) -> Tensor:
    """Return the triangles that sum a spectrum [bin] into mel bands, [bin, band], as ONNX' operator spaces them."""
    bands, length, rate = (tf.cast(tf.reshape(call[index], []), tf.int64) for index in range(3))
    low, high = (_mel(tf.cast(tf.reshape(call[index], []), tf.float32)) for index in (3, 4))
    place = tf.cast(tf.range(bands + 2), tf.float32)
    hertz = 700 * (tf.pow(10.0, (place * (high - low) / tf.cast(bands + 2, tf.float32) + low) / 2595) - 1)
    edges = tf.floor(tf.cast(length + 1, tf.float32) * hertz / tf.cast(rate, tf.float32))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bin_ = tf.cast(tf.range(length // 2 + 1), tf.float32)[:, None]
    rising = tf.where(left == centre, tf.cast(bin_ == centre, tf.float32), (bin_ - left) / (centre - left))
    falling = tf.where(right == centre, tf.zeros_like(bin_), (right - bin_) / (right - centre))
    rises, falls = (bin_ >= left) & (bin_ <= centre), (bin_ >= centre) & (bin_ < right)
    weights = tf.where(falls, falling, tf.where(rises, rising, tf.zeros_like(rising)))
    return tf.cast(weights, call.attr_dtype("output_datatype", ir.DataType.FLOAT))


def _mel(hertz: Tensor) -> Tensor:
    return 2595 * tf.math.log1p(hertz / 700) / tf.math.log(10.0)
