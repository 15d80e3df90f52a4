"""Operators of the domain ai.onnx.ml: what pipelines of feature extraction and trees are exported as."""

from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op

DOMAIN = "ai.onnx.ml"


@op("ArrayFeatureExtractor", domain=DOMAIN)
def array_feature_extractor(call: Call) -> Tensor:
    """Return the columns of x that an index names; a vector becomes one row."""
    x = tf.gather(call[0], tf.reshape(call[1], [-1]), axis=-1)
    return x[None, :] if len(x.shape) == 1 else x


@op("Binarizer", domain=DOMAIN)
def binarizer(call: Call) -> Tensor:
    return tf.cast(call[0] > tf.cast(call.attr_float("threshold"), call[0].dtype), call[0].dtype)


@op("LabelEncoder", domain=DOMAIN)
def label_encoder(call: Call) -> Tensor:
    """Return the value that belongs to each key of x; a default where x is no key. NaN is a key like any other."""
    x = call[0]
    keys, values, default = _mapping(call, x)
    is_key = x[..., None] == tf.constant(keys)
    if x.dtype.is_floating:
        is_key |= tf.math.is_nan(x)[..., None] & tf.constant(np.isnan(keys))
    place = tf.argmax(is_key, -1)  # the first of equals
    return tf.where(
        tf.reduce_any(is_key, -1), tf.gather(tf.constant(values), place), tf.constant(default, values.dtype)
    )


def _mapping(call: Call, x: Tensor) -> tuple[Any, Any, Any]:
    """Return keys, values and the default, from attributes that bear their type in their name."""
    if call.has_attribute("classes_strings"):  # the first version: between names and their places
        names = np.array(call.attr_strings("classes_strings"), object)
        places = np.arange(len(names), dtype=np.int64)
        if x.dtype == tf.string:
            return names, places, np.int64(call.attr_int("default_int64", -1))
        return places, names, call.attr_string("default_string", "_Unused")
    keys, (values, default) = _table(call, "keys")[0], _table(call, "values")
    return keys, values, default


def _table(call: Call, side: str) -> tuple[Any, Any]:
    """Return the array of ``side`` and the default that belongs to its dtype."""
    if call.has_attribute(f"{side}_tensor"):
        array = call.attr_tensor(f"{side}_tensor")
        assert array is not None
        default = call.attr_tensor("default_tensor")
        is_text = array.dtype.kind in "OSU"
        fallback = "_Unused" if is_text else -1 if array.dtype.kind == "i" else -0.0
        array = array.astype(object) if is_text else array
        return array.ravel(), fallback if default is None else default.ravel()[0]
    if call.has_attribute(f"{side}_strings"):
        return np.array(call.attr_strings(f"{side}_strings"), object), call.attr_string("default_string", "_Unused")
    if call.has_attribute(f"{side}_int64s"):
        return np.array(call.attr_ints(f"{side}_int64s"), np.int64), call.attr_int("default_int64", -1)
    return np.array(call.attr_floats(f"{side}_floats"), np.float32), call.attr_float("default_float", -0.0)
