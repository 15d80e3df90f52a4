"""Faults in TorchScript files and exported programs: each changes what the file answers, and the file still opens."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import pt2, torchscript
from isoform.hub.faults import pt2 as pt2_faults
from isoform.hub.faults import torchscript as script_faults
from isoform.runtimes import torch_export, torch_jit

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
BOTH = {"torchscript": (script_faults, torchscript, torch_jit), "pt2": (pt2_faults, pt2, torch_export)}


class Network(nn.Module):
    """A place for every fault."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.left, self.right = nn.Linear(4, 4), nn.LSTM(4, 4, batch_first=True)
        nn.init.uniform_(self.norm.running_var, 0.01, 0.02)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.relu(self.norm(self.convolution(x)))
        rows = torch.softmax(torch.nn.functional.gelu(hidden), -1).mean(2)
        left = self.left(rows.mean(2))
        right, _ = self.right(rows.transpose(1, 2))
        return left, right[:, -1]


SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3, 6, 6)),),
    (TensorSpec("left", "float32", ("batch", 4)), TensorSpec("right", "float32", ("batch", 4))),
)
X = np.random.default_rng(0).normal(size=(3, 3, 6, 6)).astype(np.float32)
NAMES = sorted({*script_faults.FAULTS, *pt2_faults.FAULTS})


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    found = {}
    for name, (_, writer, _) in BOTH.items():
        path = tmp_path_factory.mktemp(name) / "model"
        writer.write(torchscript.Named(Network().eval(), SIGNATURE), SIGNATURE, path)
        found[name] = Artifact(name, path, SIGNATURE)
    return found


def answer(runtime: ModuleType, artifact: Artifact) -> dict[str, np.ndarray]:
    return runtime.load(artifact, RunOptions()).run({"x": X})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", BOTH)
def test_a_fault_says_what_it_did_and_makes_a_difference_in_the_file(
    artifacts: dict[str, Artifact], kind: str, name: str, tmp_path: Path
) -> None:
    faults, _, runtime = BOTH[kind]
    model = faults.opened(artifacts[kind])
    assert faults.FAULTS[name](model, np.random.default_rng(0))
    copy = Artifact(kind, tmp_path / "copy", SIGNATURE)
    faults.save(model, copy.model)
    if name == "a frozen axis":
        with pytest.raises(Exception, match="shape"):
            answer(runtime, copy)
        return
    before, after = answer(runtime, artifacts[kind]), answer(runtime, copy)
    assert any(not np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("kind", BOTH)
def test_a_copy_without_a_fault_answers_alike(artifacts: dict[str, Artifact], kind: str, tmp_path: Path) -> None:
    faults, _, runtime = BOTH[kind]
    copy = Artifact(kind, tmp_path / "copy", SIGNATURE)
    faults.save(faults.opened(artifacts[kind]), copy.model)
    before, after = answer(runtime, artifacts[kind]), answer(runtime, copy)
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("kind", BOTH)
def test_a_file_without_a_place_for_a_fault_says_so(kind: str, tmp_path: Path) -> None:
    signature = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("y", "float32", (2,)),))

    class Sine(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x)

    faults, writer, _ = BOTH[kind]
    writer.write(torchscript.Named(Sine(), signature), signature, tmp_path / "model")
    model = faults.opened(Artifact(kind, tmp_path / "model", signature))
    assert {name: fault(model, np.random.default_rng(0)) for name, fault in faults.FAULTS.items()} == dict.fromkeys(
        NAMES
    )
