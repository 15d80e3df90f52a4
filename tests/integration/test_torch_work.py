"""Multiply-accumulates against PyTorch's own counter, and against a run of the same graph in ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from isoform import hub
from isoform.core.artifact import Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph
from isoform.hub.work import counted
from isoform.jobs.work import work_of

pytestmark = pytest.mark.torch


class Mixed(torch.nn.Module):
    """A convolution with groups, one transposed, attention and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.up = torch.nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.attention = torch.nn.MultiheadAttention(6, 2, batch_first=True)
        self.last = torch.nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.up(self.first(x).relu()).flatten(2).transpose(1, 2)
        return self.last(self.attention(rows, rows, rows, need_weights=False)[0])


def test_the_graph_takes_what_pytorch_counts() -> None:
    network, x = Mixed().eval(), torch.randn(2, 4, 8, 8)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network.train()(x)  # other kernels of attention on the CPU are none that the counter knows
    model = hub.from_torch(network.eval(), {"x": x}, {"x": {0: "batch"}})
    found = counted(model, {"x": (2, 4, 8, 8)})
    assert found.unknown == ()
    assert found.flops == counter.get_total_flops() > 0


def recurrent(folder: Path, steps: int) -> tuple[Artifact, dict[str, np.ndarray]]:
    """Return an LSTM of 5 features and 8 units, written as ONNX."""

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(5, 8, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0]

    model = hub.from_torch(Reader().eval(), {"x": torch.randn(2, steps, 5)}, {"x": {0: "batch", 1: "steps"}})
    graph.save(model, folder / "model.onnx")
    signature = Signature(
        (TensorSpec("x", "float32", ("batch", "steps", 5)),), (TensorSpec("y", "float32", ("batch", "steps", 8)),)
    )
    x = np.zeros((2, steps, 5), np.float32)
    return Artifact("onnx", folder / "model.onnx", signature), {"x": x}


def test_a_loop_in_a_tflite_file_is_counted_turn_by_turn(tmp_path: Path) -> None:
    source, inputs = recurrent(tmp_path, 6)
    by_hand = 6 * 2 * 4 * 8 * (5 + 8)
    assert work_of(source, inputs).macs == by_hand
    path = tmp_path / "model.tflite"
    path.write_bytes(hub.to_tflite(source.model))
    found = work_of(Artifact("tflite", path, source.signature), inputs)
    assert found.unknown == ()
    assert found.macs == by_hand


def test_without_a_run_the_loop_is_said_to_be_missing(tmp_path: Path) -> None:
    source, inputs = recurrent(tmp_path, 6)
    model = hub.from_tflite(hub.to_tflite(source.model))
    assert any("Loop" in name for name in counted(model, {"x": inputs["x"].shape}).unknown)
