"""A recurrent network that tells positive reviews from negative ones."""

import keras
from keras import layers

VOCABULARY_SIZE = 10_000


def build() -> keras.Model:
    """Return the network with fresh weights: token ids in, the probability that the review is positive out."""
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    states = layers.Embedding(VOCABULARY_SIZE, 128, name="embedding")(tokens)
    states = layers.LSTM(64, return_sequences=True, name="lstm1")(states)
    states = layers.LSTM(32, name="lstm2")(states)
    hidden = layers.Dense(64, activation="relu", name="hidden")(states)
    probability = layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    return keras.Model(tokens, probability, name="text_classifier")
