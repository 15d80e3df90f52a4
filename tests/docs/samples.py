"""Small models that pages begin with, where how one is made is not what the page is about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file


def image_classifier(path: Path) -> None:
    """Write a convolution and a linear layer: ``image [batch, 3, 32, 32] -> logits [batch, 4]``."""
    rng = np.random.default_rng(1)
    weights = {"conv.weight": (8, 3, 3, 3), "conv.bias": (8,), "linear.weight": (4, 2048), "linear.bias": (4,)}
    nodes = [
        helper.make_node(
            "Conv", ["image", "conv.weight", "conv.bias"], ["features"], pads=[1, 1, 1, 1], strides=[2, 2]
        ),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("Flatten", ["active"], ["flat"]),
        helper.make_node("Gemm", ["flat", "linear.weight", "linear.bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "image_classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
        [
            numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def two_layers(path: Path) -> None:
    """Write the weights of ``nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), ...)``."""
    rng = np.random.default_rng(1)
    shapes = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (3, 8), "2.bias": (3,)}
    save_file({name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, path)


SAMPLES: dict[str, Callable[[Path], None]] = {"model.onnx": image_classifier, "weights.safetensors": two_layers}
"""By the name of the file in a page's folder."""
