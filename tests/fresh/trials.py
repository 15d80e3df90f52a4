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


@dataclass(frozen=True)
class Proof:
    """An artifact that is made here and verified in an environment with one runtime and no extra.

    Attributes:
        package: all that is installed beside isoform.
        words: what follows ``isoform convert`` here, in a folder with ``m.onnx`` and what earlier proofs made.
    """

    package: str
    format: str
    words: tuple[str, ...]


GATES = "structure PASS, weights PASS, semantics {semantics}, numerics PASS"
MADE = """
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), "w")
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])], [weight])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), "m.onnx")
"""
PROOFS = {
    Proof("ai-edge-litert", "tflite", ("m.onnx", "--to", "tflite")): GATES.format(semantics="PASS"),
    # A TFLite file has no float64 that its graph could be held against.
    Proof("onnxruntime", "onnx", ("out/net/tflite/model.tflite", "--to", "onnx")): GATES.format(
        semantics="NOT CHECKED"
    ),
}
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
