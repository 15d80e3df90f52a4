"""Keras' sources: keras.applications without their last layer, and networks of Keras' layers."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

APPLICATIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "MobileNet": (64, {"alpha": 0.5}), "MobileNetV2": (64, {"alpha": 0.5}), "MobileNetV3Small": (64, {}),
    "MobileNetV3Large": (64, {}), "EfficientNetB0": (64, {}), "EfficientNetV2B0": (64, {}), "ConvNeXtTiny": (64, {}),
    "DenseNet121": (64, {}), "ResNet50": (64, {}), "ResNet50V2": (64, {}), "InceptionV3": (96, {}),
    "Xception": (96, {}), "NASNetMobile": (64, {}), "VGG16": (64, {}),
}  # fmt: skip
NETWORKS: dict[str, tuple[str, str]] = {
    "lstm_tagger": ("recurrent", "ids:int32[batch,length]:0..499"),
    "gru_classifier": ("recurrent", "ids:int32[batch,length]:0..499"),
    "simple_rnn": ("recurrent", "series:float32[batch,length,16]"),
    "conv_lstm": ("recurrent", "video:float32[batch,6,24,24,3]"),
    "transformer": ("text", "ids:int32[batch,length]:0..499"),
    "unet": ("segmentation", "image:float32[batch,64,64,3]"),
    "wavenet": ("speech", "wave:float32[batch,time,8]"),
}


def entries() -> Iterator[Entry]:
    """Yield the applications, then the others; every name begins with ``keras_``."""
    for name, (size, options) in APPLICATIONS.items():
        built = {"name": name, "size": size, **options}
        yield Entry(f"keras_{name}", "convolutional", "keras", "zoo.keras_networks:application", built, ())
    for kind, (family, declared) in NETWORKS.items():
        yield Entry(f"keras_{kind}", family, "keras", "zoo.keras_networks:build", {"kind": kind}, (declared,))
