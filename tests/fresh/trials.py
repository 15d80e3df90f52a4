"""The trials: an extra, how its source is made, and what has to become of each format."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1] / "repos" / "resnet"
PASS = "PASS"


@dataclass(frozen=True)
class Trial:
    """One source in one environment.

    Attributes:
        extra: what is installed of isoform.
        absent: modules that must not be importable there.
        make: Python that writes the source; it runs in the environment, in an empty folder.
        words: what follows ``isoform convert`` there.
        expected: by format, PASS or the whole error.
    """

    extra: str
    title: str
    absent: tuple[str, ...]
    make: str
    words: tuple[str, ...]
    expected: dict[str, str]


TRIALS = (
    Trial(
        "torch",
        "state dict of a residual network, its repository beside it",
        ("tensorflow", "keras"),
        f"""
from pathlib import Path
from isoform._user_code import put_first
put_first(Path({str(REPOSITORY)!r}), frozenset())
import torch
from models.resnet import trained
torch.save(trained(depths=[1, 1, 1, 1], width=16, classes=10).state_dict(), "resnet.pt")
""",
        (
            "resnet.pt", "--arch", f"{REPOSITORY}/models/resnet.py:build", "--arch-arg", "depths=[1, 1, 1, 1]",
            "--arch-arg", "width=16", "--arch-arg", "classes=10", "--input", "image:float32[batch,3,64,64]",
        ),
        {
            "onnx": PASS,
            "tflite": PASS,
            "torchscript": PASS,
            "savedmodel": "'onnx_to_savedmodel' needs the package 'tensorflow', which is not installed. "
            "pip install 'isoform[tensorflow]'",
        },
    ),
    Trial(
        "tensorflow",
        "network of Keras",
        ("torch",),
        """
import keras
keras.utils.set_random_seed(0)
layers = keras.layers
network = keras.Sequential([
    keras.Input((32, 32, 3), name="image"), layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization(),
    layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax"),
])
network.save("network.keras")
""",
        ("network.keras",),
        {
            "savedmodel": PASS,
            "tflite": PASS,
            "onnx": PASS,
            "torchscript": "'onnx_to_torchscript' needs the package 'torch', which is not installed. "
            "pip install 'isoform[torch]'",
        },
    ),
)  # fmt: skip
