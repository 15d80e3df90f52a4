"""A small network of PyTorch, and a job that writes it in every format that PyTorch itself writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import nn


class Network(nn.Module):
    """A convolution, a batch normalisation, the mean over the image and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.classify = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(image).mean((2, 3))).softmax(-1)


def build() -> Network:
    return Network()


@torch.no_grad()
def write(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Write the network into ``arguments["folder"]``."""
    folder = Path(arguments["folder"])
    torch.manual_seed(0)
    network = build().eval()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand(tensor.shape) / 4)
    image = torch.rand(2, 3, 16, 16)
    torch.save(network.state_dict(), folder / "weights.pt")
    torch.jit.trace(network, (image,)).save(str(folder / "network.ts"))
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(network, (image,), dynamic_shapes=({0: batch},)), folder / "network.pt2")
    torch.onnx.export(
        network, (image,), str(folder / "network.onnx"), dynamo=False, input_names=["image"],
        output_names=["probabilities"], dynamic_axes={"image": {0: "batch"}, "probabilities": {0: "batch"}},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "network.ort")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(folder / "network.onnx", options, providers=["CPUExecutionProvider"])
    return {}
