"""A convolutional network for square colour images, channels last."""

import keras
from keras import layers


def build(image_size: int) -> keras.Model:
    """Return the network with fresh weights, for images of ``image_size`` by ``image_size`` pixels."""
    image = keras.Input((image_size, image_size, 3), name="image")
    features = _block(image, 64, name="block1")
    features = _block(features, 128, name="block2")
    hidden = layers.Flatten(name="flatten")(features)
    hidden = layers.Dense(512, activation="relu", name="hidden")(hidden)
    hidden = layers.Dropout(0.5, name="dropout")(hidden)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(hidden)
    return keras.Model(image, probabilities, name="image_classifier")


def _block(features: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    features = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv")(features)
    # PyTorch's defaults, in Keras' terms: what it calls momentum is 1 - 0.1.
    features = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(features)
    features = layers.ReLU(name=f"{name}_relu")(features)
    return layers.MaxPooling2D(2, name=f"{name}_pool")(features)
