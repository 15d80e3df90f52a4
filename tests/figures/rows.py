"""What is measured, in order, with the limit that each figure is held against and the peer it stands beside."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GIB = 2**30
APPLICATIONS = ("ResNet50", "VGG16", "EfficientNetV2B0", "ConvNeXtTiny")

TARGETS = (
    ("onnx_to_savedmodel", "saved_model", 15, 3 * GIB),
    ("onnx_to_torchscript", "model.ts", 15, 3 * GIB),
    ("onnx_to_tflite", "model.tflite", 10, 2.5e9),
)
"""Converters from ONNX, what they write, and the seconds and bytes that the image classifier may take."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        place: ``module:function`` that sets up and returns the work.
        arguments: of the function; ``{work}`` in a string stands for the folder of intermediate files.
        limit_s: seconds at most; None where only shown.
        limit_bytes: peak above what the process held before, at most.
        weights: the size of the weights in bytes, for the copies column.
        peer: how the best peer does, measured by hand once, or the ``module:function`` to measure beside it.
    """

    name: str
    place: str
    arguments: dict[str, Any]
    limit_s: float | None = None
    limit_bytes: float | None = None
    weights: int = 0
    peer: str = ""
    peer_arguments: dict[str, Any] = field(default_factory=dict)


def classifier(image_size: int) -> Iterator[Row]:
    """Yield the conversions of the image classifier; its weights grow with the square of the image size."""
    weights, at = _weights(image_size), _title(image_size)
    is_large = weights > GIB
    copies = 1.5 * weights
    yield Row(
        f"Keras -> ONNX, {at}", "figures.conversions:keras_to_onnx",
        {"target": f"{{work}}/keras{image_size}.onnx", "image_size": image_size},
        10 if not is_large else None, copies if is_large else weights, weights,
        "Keras' own export and tf2onnx: killed at 22.9 GB",
    )  # fmt: skip
    yield Row(
        f"PyTorch -> ONNX, {at}", "figures.conversions:torch_to_onnx",
        {"target": f"{{work}}/torch{image_size}.onnx", "image_size": image_size},
        None, copies, weights, "" if is_large else "torch.onnx.export: 4.8 s, 1.2 GB",
    )  # fmt: skip
    for source, layout in (("keras", "NHWC"), ("torch", "NCHW")):
        for converter, target, limit_s, limit_bytes in TARGETS:
            yield Row(
                f"ONNX from {source} -> {converter.split('_to_')[1]}, {at}", "figures.conversions:onnx_to",
                {
                    "target": f"{{work}}/{source}{image_size}.{target}",
                    "source": f"{{work}}/{source}{image_size}.onnx",
                    "image_size": image_size, "layout": layout, "converter": converter,
                },
                limit_s if not is_large else None, copies if is_large else limit_bytes, weights,
            )  # fmt: skip


def to_tflite() -> Iterator[Row]:
    """Yield the ways of the image classifier from a framework or its file to TFLite; those from ONNX stand above."""
    peers = {
        "keras": "TensorFlow's converter: 37 s, 8.4 GB", "torch": "litert-torch, fixed shapes: 14.7 s, 4.7 GB",
        "savedmodel": "TensorFlow's converter: 37 s, 8.4 GB",
    }  # fmt: skip
    for source in ("keras", "torch", "savedmodel", "torchscript"):
        yield Row(
            f"{source} -> tflite, {_title(224)}", "figures.conversions:to_tflite",
            {"source": source, "work": "{work}", "image_size": 224}, 10, 2.5e9, _weights(224), peers.get(source, ""),
        )  # fmt: skip


def applications() -> Iterator[Row]:
    """Yield the public Keras networks, each beside Keras' own export."""
    for name in APPLICATIONS:
        yield Row(
            f"Keras -> ONNX, {name}", "figures.conversions:keras_to_onnx",
            {"target": f"{{work}}/{name}.onnx", "application": name}, 5, GIB,
            peer="figures.conversions:peer_keras_export", peer_arguments={"application": name},
        )  # fmt: skip


def _weights(image_size: int) -> int:
    """Return the bytes of the image classifier's weights."""
    return 4 * (128 * (image_size // 4) ** 2 * 512 + 100_000)


def _title(image_size: int) -> str:
    return f"classifier {image_size} ({_weights(image_size) / GIB:.1f} GiB)"


SECTIONS = {
    "classifier": lambda: classifier(224),
    "times-four": lambda: classifier(448),
    "tflite": to_tflite,
    "applications": applications,
}
