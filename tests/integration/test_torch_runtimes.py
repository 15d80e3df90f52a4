"""PyTorch's three runtimes keep what a runtime promises; so does what is bound to them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from isoform.converters import torch_to_pt2, torch_to_torchscript
from isoform.core.artifact import Architecture, Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.runtimes import torch_eager, torch_export, torch_jit
from isoform.testing.contracts import RuntimeContract

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SIGNATURE = Signature((TensorSpec.parse("x:float32[batch,3]"),), (TensorSpec.parse("y:float32[batch,4]"),))
CODE = """
import torch


def build():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh())
"""


def source(folder: Path) -> Artifact:
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh())
    save_file(network.state_dict(), folder / "weights.safetensors")
    (folder / "net.py").write_text(CODE)
    return Artifact("torch", folder / "weights.safetensors", SIGNATURE, Architecture(folder, "net.py:build"))


class TestEager(RuntimeContract):
    module = torch_eager

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return source(tmp_path)


class TestScript(RuntimeContract):
    module = torch_jit

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        torch_to_torchscript.convert(source(tmp_path), tmp_path / "model.ts", ConvertOptions())
        return Artifact("torchscript", tmp_path / "model.ts", SIGNATURE)


class TestProgram(RuntimeContract):
    module = torch_export

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        torch_to_pt2.convert(source(tmp_path), tmp_path / "model.pt2", ConvertOptions())
        return Artifact("pt2", tmp_path / "model.pt2", SIGNATURE)
