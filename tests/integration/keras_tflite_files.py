"""Write TFLite files with TensorFlow's own converter: small Keras networks, float and quantised.

Run in a process of its own: ``python keras_tflite_files.py FOLDER``.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

RNG = np.random.default_rng(0)


def images() -> keras.Model:
    """Strides, depthwise and dilated kernels, squeeze and excitation, residuals, transposed kernels, resizing."""
    x = inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    y = layers.SeparableConv2D(8, 3, padding="same", dilation_rate=2)(layers.ZeroPadding2D(1)(x))
    y = layers.Cropping2D(1)(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    x = layers.Add()([layers.Multiply()([y, gate]), x])
    up = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(layers.MaxPooling2D(2)(x))
    up = layers.LeakyReLU(negative_slope=0.1)(layers.Concatenate()([up, x]))
    up = layers.UpSampling2D(2, interpolation="bilinear")(up)
    classes = layers.Dense(5, activation="softmax")(layers.Flatten()(layers.AveragePooling2D(4)(up)))
    return keras.Model(inputs, classes)


def recurrent() -> keras.Model:
    x = inputs = keras.Input(batch_shape=(2, 9, 6), name="sequence")
    x = layers.LSTM(8, return_sequences=True)(x)
    x = layers.Bidirectional(layers.LSTM(5))(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def gated() -> keras.Model:
    x = inputs = keras.Input(batch_shape=(2, 9, 6), name="sequence")
    x = layers.SimpleRNN(7)(layers.GRU(8, return_sequences=True)(x))
    return keras.Model(inputs, layers.Dense(3)(x))


def attention() -> keras.Model:
    x = inputs = keras.Input((10, 16), name="sequence")
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    x = layers.Dense(32, activation="gelu")(x)
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def words() -> keras.Model:
    x = inputs = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Conv1D(8, 3, padding="causal", activation="relu")(layers.Embedding(50, 8)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling1D()(x)))


def volumes() -> keras.Model:
    x = inputs = keras.Input((6, 6, 6, 2), name="volume")
    x = layers.Conv3D(4, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv3DTranspose(3, 3, strides=2, padding="same")(x))


def mobile() -> keras.Model:
    return keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3), classes=10)


NETWORKS: dict[Callable[[], keras.Model], tuple[str, ...]] = {
    images: ("float", "float16", "dynamic", "int8", "int16"),
    recurrent: ("float", "float16", "dynamic"),  # TensorFlow crashes where it quantises a recurrent layer
    gated: ("float",),
    attention: ("float", "int8"),
    words: ("float",),
    volumes: ("float",),
    mobile: ("float", "int8"),
}


def randomise(model: keras.Model) -> None:
    """Give the parameters that start as zeros and ones values of their own."""
    for weight in model.weights:
        if "gamma" in weight.path or "variance" in weight.path:
            weight.assign(RNG.uniform(0.5, 1.5, weight.shape))
        elif any(word in weight.path for word in ("beta", "bias", "mean")):
            weight.assign(RNG.normal(0, 0.1, weight.shape))


def samples(model: keras.Model) -> Iterator[list[np.ndarray]]:
    for _ in range(8):
        shape = [1 if size is None else size for size in model.inputs[0].shape]
        yield [RNG.uniform(-1, 1, shape).astype(np.float32)]


def converted(model: keras.Model, kind: str) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16"):
        converter.representative_dataset = lambda: samples(model)
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if kind == "int8" else wide]
    if kind == "int8":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    for build, kinds in NETWORKS.items():
        model = build()
        randomise(model)
        for kind in kinds:
            (folder / f"{build.__name__}_{kind}.tflite").write_bytes(converted(model, kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
