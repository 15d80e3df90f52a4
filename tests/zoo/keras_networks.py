"""Builds Keras networks, keras.applications and recurrent ones, with random weights and no constant among them."""

from typing import Any

import keras
import numpy as np


def application(name: str, size: int, **options: Any) -> keras.Model:
    """Return ``keras.applications.<name>`` for images of ``size``, its mean values in front of ten classes."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)
    body = network(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg", **options)
    model = without_constants(keras.Model(body.inputs, keras.layers.Dense(10)(body.outputs[0]), name=name))
    return settled(model, np.random.default_rng(2).standard_normal((16, size, size, 3), np.float32))


def build(kind: str) -> keras.Model:
    """Return the network ``kind``, a key of `NETWORKS`, with seeded weights."""
    keras.utils.set_random_seed(0)
    inputs, outputs = NETWORKS[kind]()
    return without_constants(keras.Model(inputs, outputs, name=kind))


def without_constants(model: keras.Model) -> keras.Model:
    """Disturb every constant weight in place: zero scales let converters delete whole branches unseen."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        value = weight.numpy()
        if np.issubdtype(value.dtype, np.floating) and value.size and np.all(value == value.flat[0]):
            is_variance = weight.name.endswith("variance")
            drawn = rng.random(value.shape) + 0.5 if is_variance else value + 0.1 * rng.standard_normal(value.shape)
            weight.assign(drawn.astype(value.dtype))
    return model


def settled(model: keras.Model, inputs: np.ndarray) -> keras.Model:
    """Give each batch normalisation the statistics of what reaches it, in place, as training does.

    With others, a deep network answers the same to whatever it is given, and no comparison of outputs says anything.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momentums = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(layers, momentums, strict=True):
        layer.momentum = momentum
    return model


def _tokens() -> Any:
    return keras.Input((None,), dtype="int32", name="ids")


def _lstm_tagger() -> Any:
    ids = _tokens()
    x = keras.layers.Embedding(500, 32)(ids)
    x = keras.layers.Bidirectional(keras.layers.LSTM(24, return_sequences=True))(x)
    return ids, keras.layers.Dense(5)(keras.layers.LSTM(24, return_sequences=True)(x))


def _gru_classifier() -> Any:
    ids = _tokens()
    x = keras.layers.Bidirectional(keras.layers.GRU(24))(keras.layers.Embedding(500, 32)(ids))
    return ids, keras.layers.Dense(5, "softmax")(x)


def _simple_rnn() -> Any:
    series = keras.Input((None, 16), name="series")
    return series, keras.layers.Dense(4)(keras.layers.SimpleRNN(24)(series))


def _conv_lstm() -> Any:
    video = keras.Input((6, 24, 24, 3), name="video")
    x = keras.layers.ConvLSTM2D(8, 3, padding="same", return_sequences=True)(video)
    return video, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling3D()(x))


def _transformer() -> Any:
    ids = _tokens()
    x = keras.layers.Embedding(500, 32)(ids)
    for _ in range(2):
        x = keras.layers.LayerNormalization()(x + keras.layers.MultiHeadAttention(4, 8)(x, x))
        x = keras.layers.LayerNormalization()(x + keras.layers.Dense(32)(keras.layers.Dense(64, "gelu")(x)))
    return ids, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling1D()(x))


def _unet() -> Any:
    """Segmentation of Ronneberger et al. 2015, two levels."""
    image = keras.Input((64, 64, 3), name="image")
    x, kept = image, []
    for width in (8, 16):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(width, 3, padding="same")(x)))
        kept.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for width in (16, 8):
        x = keras.layers.Conv2DTranspose(width, 3, 2, padding="same")(x)
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(
            keras.layers.Concatenate()([x, kept.pop()])
        )
    return image, keras.layers.Conv2D(4, 1)(x)


def _wavenet() -> Any:
    """Gated, dilated, causal convolutions of van den Oord et al. 2016."""
    wave = keras.Input((None, 8), name="wave")
    x = keras.layers.Conv1D(16, 2, padding="causal")(wave)
    for dilation in (1, 2, 4, 8):
        gate, value = (
            keras.layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation=name)(x)
            for name in ("sigmoid", "tanh")
        )
        x = x + keras.layers.Conv1D(16, 1)(gate * value)
    return wave, keras.layers.Conv1D(32, 1)(keras.layers.ReLU()(x))


NETWORKS = {
    "lstm_tagger": _lstm_tagger, "gru_classifier": _gru_classifier, "simple_rnn": _simple_rnn, "conv_lstm": _conv_lstm,
    "transformer": _transformer, "unet": _unet, "wavenet": _wavenet,
}  # fmt: skip
