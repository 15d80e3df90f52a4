"""What is measured, in order, with the limit that each figure is held against and the peer it stands beside."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GIB = 2**30
APPLICATIONS = ("ResNet50", "VGG16", "EfficientNetV2B0", "ConvNeXtTiny")


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
    weights = 4 * (128 * (image_size // 4) ** 2 * 512 + 100_000)
    at, is_large = f"classifier {image_size} ({weights / GIB:.1f} GiB)", weights > GIB
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
        for converter, target in (("onnx_to_savedmodel", "saved_model"), ("onnx_to_torchscript", "model.ts")):
            yield Row(
                f"ONNX from {source} -> {converter.split('_to_')[1]}, {at}", "figures.conversions:onnx_to",
                {
                    "target": f"{{work}}/{source}{image_size}.{target}",
                    "source": f"{{work}}/{source}{image_size}.onnx",
                    "image_size": image_size, "layout": layout, "converter": converter,
                },
                15 if not is_large else None, copies if is_large else 3 * GIB, weights,
            )  # fmt: skip


def applications() -> Iterator[Row]:
    """Yield the public Keras networks, each beside Keras' own export."""
    for name in APPLICATIONS:
        yield Row(
            f"Keras -> ONNX, {name}", "figures.conversions:keras_to_onnx",
            {"target": f"{{work}}/{name}.onnx", "application": name}, 5, GIB,
            peer="figures.conversions:peer_keras_export", peer_arguments={"application": name},
        )  # fmt: skip


SECTIONS = {
    "classifier": lambda: classifier(224),
    "times-four": lambda: classifier(448),
    "applications": applications,
}
