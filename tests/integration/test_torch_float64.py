"""References in float64 of networks that ask for float32 by name, as those written for half precision do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from isoform.core import cases as case_files
from isoform.core.artifact import Architecture, Artifact
from isoform.core.generation import generate
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import float64, pt2, torchscript
from isoform.jobs.reference import reference
from isoform.runtimes import torch_eager, torch_export, torch_jit

pytestmark = pytest.mark.torch
WRITTEN = {"torchscript": (torchscript, torch_jit), "pt2": (pt2, torch_export)}
NETWORK = """
import torch
from torch import nn
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)
    def forward(self, x):
        hidden = self.first(x.float() / 255.0)
        variance = hidden.to(torch.float32).pow(2).mean(-1, keepdim=True)
        mask = torch.full((8,), 0.5, dtype=torch.float32)
        return self.second((hidden * torch.rsqrt(variance + 1e-6) * mask).softmax(-1, dtype=torch.float32))
"""


def by_hand(weights: dict[str, torch.Tensor], x: np.ndarray) -> np.ndarray:
    wide = {name: tensor.double().numpy() for name, tensor in weights.items()}
    hidden = x.astype(np.float64) / 255.0 @ wide["first.weight"].T + wide["first.bias"]
    scaled = hidden / np.sqrt((hidden**2).mean(-1, keepdims=True) + 1e-6) * 0.5
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True) @ wide["second.weight"].T + wide["second.bias"]


def test_a_network_that_casts_to_float32_is_evaluated_in_float64_throughout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    (tmp_path / "net.py").write_text(NETWORK)
    weights = {name: tensor for m in (("first", nn.Linear(4, 8)), ("second", nn.Linear(8, 3)))
               for name, tensor in ((f"{m[0]}.{key}", value) for key, value in m[1].state_dict().items())}  # fmt: skip
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    x = TensorSpec("x", "uint8", ("batch", 4), low=0, high=256)
    signature = Signature((x,), (TensorSpec("output", "float32", ("batch", 3)),))
    source = Artifact("torch", tmp_path / "w.safetensors", signature, Architecture(tmp_path, "net.py:Network"))
    given = np.random.default_rng(0).integers(0, 256, (5, 4), np.uint8)
    answer = torch_eager.load(source, RunOptions(is_float64=True)).run({"x": given})["output"]
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, by_hand(weights, given), rtol=1e-13)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_file_that_says_float32_is_evaluated_in_float64_throughout(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(NETWORK, names)  # the network's text is this file's own
    network = names["Network"]().eval()
    signature = Signature(
        (TensorSpec("x", "uint8", ("batch", 4), low=0, high=256),), (TensorSpec("output", "float32", ("batch", 3)),)
    )
    writer, runtime = WRITTEN[kind]
    writer.write(torchscript.Named(network, signature), signature, tmp_path / "model")
    given = np.random.default_rng(0).integers(0, 256, (5, 4), np.uint8)
    session = runtime.load(Artifact(kind, tmp_path / "model", signature), RunOptions(is_float64=True))
    answer = session.run({"x": given})["output"]
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, by_hand(network.state_dict(), given), rtol=1e-13)


@pytest.mark.parametrize(
    "cast",
    [
        lambda x: x.float(),
        lambda x: x.to(torch.float32),
        lambda x: x.to(device="cpu", dtype=torch.float),
        lambda x: x.type(torch.float32),
        lambda x: x.type(torch.FloatTensor),
        lambda x: x.type("torch.FloatTensor"),
        lambda x: F.softmax(x, -1, dtype=torch.float32),
        lambda x: x.new_zeros(2, dtype=torch.float32),
        lambda x: torch.arange(3, dtype=torch.float32),
    ],
)
def test_every_way_to_name_float32_gives_float64(cast) -> None:
    x = torch.ones(2, dtype=torch.float64)
    with float64.widened():
        assert cast(x).dtype == torch.float64
    assert cast(x).dtype == torch.float32


def test_other_types_stay_what_they_are() -> None:
    x = torch.ones(2, dtype=torch.float64)
    with float64.widened():
        assert [x.half().dtype, x.long().dtype, x.to(torch.bfloat16).dtype] == [
            torch.float16, torch.int64, torch.bfloat16,
        ]  # fmt: skip


def test_a_network_without_float64_is_compared_with_disturbed_runs_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "import torch\nclass Network(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(4, 3)\n"
        "        self.table = torch.ones(3, 2)\n    def forward(self, x):\n"
        "        return super().forward(x) @ self.table\n"
    )
    safetensors.torch.save_file(nn.Linear(4, 3).state_dict(), tmp_path / "w.safetensors")
    signature = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("output", "float32", ("batch", 2)),))
    source = Artifact("torch", tmp_path / "w.safetensors", signature, Architecture(tmp_path, "plain.py:Network"))
    case_files.save(generate(signature), tmp_path / "cases.npz")
    paths = {"cases": str(tmp_path / "cases.npz"), "outputs": str(tmp_path / "reference.npz")}
    answer = reference({"runtime": "torch-eager", "artifact": source.to_json(), **paths}, lambda **event: None)
    assert [note.partition(":")[0] for note in answer["notes"]] == [
        "compared with disturbed float32 runs, as the source has no float64"
    ]
    assert case_files.load(tmp_path / "reference.npz").method == case_files.CENTRE
