"""Normalisations, as they run in inference."""

from typing import Any

import numpy as np
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tf_ops.call import HALVES, Call, Tensor, op
from isoform.hub.emitters.tf_ops.layout import both_layouts


@op("BatchNormalization", domain=CHANNELS_LAST_DOMAIN)
def batch_normalization_channels_last(call: Call) -> Tensor:
    x, scale, bias, mean, variance = (call[index] for index in range(5))
    epsilon = call.attr_float("epsilon", 1e-5)
    if len(x.shape) == 4 and x.dtype == scale.dtype == tf.float32:
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=bias, mean=mean, variance=variance, epsilon=epsilon, is_training=False
        ).y
    return tf.nn.batch_normalization(x, mean, variance, bias, scale, epsilon)


@op("BatchNormalization")
def batch_normalization(call: Call) -> Any:
    """Return x normalised by given statistics; in training mode by its own, and then the running ones moved on."""
    x = call[0]
    if call.opset < 14 and not (call.opset >= 7 or call.attr_int("is_test")):
        raise IsoformError(
            f"BatchNormalization (node {call.node.name}) is in training mode.",
            "Export the model for inference.",
            kind="unsupported-operator",
        )
    scale, bias, mean, variance = (call[index] for index in range(1, 5))
    if not call.attr_int("training_mode"):
        return _normalized(call, x, scale, bias, mean, variance)
    own_mean, own_variance = tf.nn.moments(x, [0, *range(2, len(x.shape))])
    kept = tf.cast(call.attr_float("momentum", 0.9), mean.dtype)
    running = [
        old * kept + tf.cast(new, old.dtype) * (1 - kept) for old, new in ((mean, own_mean), (variance, own_variance))
    ]
    return _normalized(call, x, scale, bias, own_mean, own_variance), *running


def _normalized(call: Call, x: Tensor, *parameters: Tensor) -> Tensor:
    shape = [-1] + [1] * (len(x.shape) - 2)
    scale, bias, mean, variance = (tf.cast(tf.reshape(each, shape), x.dtype) for each in parameters)
    return tf.nn.batch_normalization(x, mean, variance, bias, scale, call.attr_float("epsilon", 1e-5))


@both_layouts("InstanceNormalization")
def instance_normalization(call: Call, x: Tensor) -> Tensor:
    mean, variance = tf.nn.moments(x, list(range(1, len(x.shape) - 1)), keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, call[2], call[1], call.attr_float("epsilon", 1e-5))


@op("GroupNormalization")
def group_normalization(call: Call) -> Tensor:
    """Return x normalised over groups of channels; before opset 21 scale and bias count groups, not channels."""
    x, groups = call[0], call.attr_int("num_groups")
    shape = tf.shape(x)
    grouped = tf.reshape(x, [shape[0], groups, -1])
    mean, variance = tf.nn.moments(grouped, [2], keepdims=True)
    normal = (grouped - mean) * tf.math.rsqrt(variance + call.attr_float("epsilon", 1e-5))
    if call.opset < 21:
        return tf.reshape(normal * call[1][:, None] + call[2][:, None], shape)
    channels = [-1] + [1] * (len(x.shape) - 2)
    return tf.reshape(normal, shape) * tf.reshape(call[1], channels) + tf.reshape(call[2], channels)


@op("LayerNormalization")
def layer_normalization(call: Call) -> tuple[Tensor, ...]:
    x, axes = call[0], _trailing(call)
    wide = tf.cast(x, tf.float32) if x.dtype in HALVES else x
    mean, variance = tf.nn.moments(wide, axes, keepdims=True)
    inverse = tf.math.rsqrt(variance + call.attr_float("epsilon", 1e-5))
    result = tf.cast((wide - mean) * inverse, x.dtype) * call[1]
    return (result if call[2] is None else result + call[2]), mean, inverse


@op("RMSNormalization")
def rms_normalization(call: Call) -> Tensor:
    x = call[0]
    wide = tf.cast(x, tf.float32) if x.dtype in HALVES else x
    mean = tf.reduce_mean(tf.square(wide), _trailing(call), keepdims=True)
    return tf.cast(wide * tf.math.rsqrt(mean + call.attr_float("epsilon", 1e-5)), x.dtype) * call[1]


@op("MeanVarianceNormalization")
def mean_variance_normalization(call: Call) -> Tensor:
    mean, variance = tf.nn.moments(call[0], call.attr_ints("axes") or [0, 2, 3], keepdims=True)
    return (call[0] - mean) / (tf.sqrt(variance) + 1e-9)


@op("LpNormalization")
def norm_normalization(call: Call) -> Tensor:
    x, axis = call[0], call.attr_int("axis", -1)
    if call.attr_int("p", 2) == 1:
        return tf.math.divide_no_nan(x, tf.reduce_sum(tf.abs(x), axis, keepdims=True))
    return tf.math.divide_no_nan(x, tf.sqrt(tf.reduce_sum(tf.square(x), axis, keepdims=True)))


@both_layouts("LRN")
def local_response_normalization(call: Call, x: Tensor) -> Tensor:
    """Return x over a power of the sum of squares of its neighbour channels."""
    size, channels = call.attr_int("size"), x.shape[-1]
    before = (size - 1) // 2
    distance = np.arange(channels)[:, None] - np.arange(channels)[None, :]
    band = (distance >= -before) & (distance <= size - 1 - before)
    near = tf.tensordot(tf.square(x), tf.constant(band, x.dtype), 1)
    scale = call.attr_float("bias", 1.0) + call.attr_float("alpha", 1e-4) / size * near
    return x / tf.pow(scale, tf.cast(call.attr_float("beta", 0.75), x.dtype))


@op("Dropout")
def dropout(call: Call) -> Any:
    """Return x and the mask of what is kept: everything, unless the model's inputs ask for training."""
    x = call[0]
    training, ratio = call.constant(2), call.constant(1) if call.has(1) else np.float32(0.5)
    is_off = (training is not None and not training.any()) or (ratio is not None and not ratio.any())
    if call.opset < 12 or not call.has(2) or is_off:
        return x, tf.ones_like(x, tf.bool if call.opset >= 10 else x.dtype)
    if training is not None and ratio is not None:
        raise IsoformError(
            f"Dropout (node {call.node.name}) is in training mode.",
            "Export the model for inference.",
            kind="unsupported-operator",
        )
    share = tf.cast(ratio if ratio is not None else call[1], tf.float32)
    keeps = tf.random.uniform(tf.shape(x)) >= tf.where(tf.reshape(call[2], []), tf.reshape(share, []), 0.0)
    scale = tf.where(tf.reshape(call[2], []), 1 / (1 - tf.reshape(share, [])), 1.0)
    return tf.where(keeps, x * tf.cast(scale, x.dtype), tf.zeros([], x.dtype)), keeps


def _trailing(call: Call) -> list[int]:
    rank = len(call[0].shape)
    return list(range(call.attr_int("axis", -1) % rank, rank))
