"""A small network of Keras, and a job that writes it in every format that Keras and TensorFlow themselves write."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

RNG = np.random.default_rng(0)


def build() -> keras.Model:
    """Return a convolution, a batch normalisation, the mean over the image and a dense layer."""
    x = inputs = keras.Input((16, 16, 3), name="image")
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(x)))
    outputs = layers.Dense(5, activation="softmax", name="probabilities")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


def write(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the network into ``arguments["folder"]``."""
    folder = Path(arguments["folder"])
    keras.utils.set_random_seed(0)
    network = build()
    for weight in network.weights:
        weight.assign(weight + RNG.uniform(0, 0.25, weight.shape))
    network.save(folder / "network.keras")
    network.save(folder / "network.h5")
    network.save_weights(folder / "network.weights.h5")
    network.export(folder / "exported", verbose=False)
    _write_module(folder / "module")
    _write_session(folder / "session")
    (folder / "float.tflite").write_bytes(_converter(network).convert())
    (folder / "int8.tflite").write_bytes(_quantising(network).convert())
    return {}


class Module(tf.Module):
    """Two matrix products in plain TensorFlow, with a signature."""

    def __init__(self) -> None:
        super().__init__()
        self.first = tf.Variable(RNG.normal(size=(6, 16)), dtype=tf.float32)
        self.second = tf.Variable(RNG.normal(size=(16, 3)), dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, "features")])
    def serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.tanh(features @ self.first) @ self.second}


def _write_module(folder: Path) -> None:
    module = Module()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def _write_session(folder: Path) -> None:
    """Write a graph of TensorFlow 1: placeholders, variables of a session, a signature beside them."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        features = v1.placeholder(tf.float32, [None, 6], "features")
        first = v1.get_variable("first", initializer=RNG.normal(size=(6, 16)).astype(np.float32))
        second = v1.get_variable("second", initializer=RNG.normal(size=(16, 3)).astype(np.float32))
        scores = tf.tanh(features @ first) @ second
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"features": features}, {"scores": scores})


def _converter(network: keras.Model) -> Any:
    return tf.lite.TFLiteConverter.from_keras_model(network)


def _quantising(network: keras.Model) -> Any:
    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter


def _samples() -> Iterator[list[Any]]:
    return ([RNG.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)] for _ in range(8))
