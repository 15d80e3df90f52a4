"""A multilayer perceptron for 28x28 grey images, flattened."""

import keras
from keras import layers


def build() -> keras.Model:
    """Return the network with fresh weights: 784 pixels in, the probabilities of ten classes out."""
    image = keras.Input((784,), name="image")
    hidden = layers.Dense(64, activation="relu", name="hidden")(image)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(hidden)
    return keras.Model(image, probabilities, name="mlp")
