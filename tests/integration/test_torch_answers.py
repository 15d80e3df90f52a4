"""What a module answers keeps its structure in TorchScript where there is a type for it, and its tensors always."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from isoform.converters import torch_to_torchscript
from isoform.core.artifact import Architecture, Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.torchscript import has_type

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
X = torch.rand(3, 2)
CODE = """
from collections import OrderedDict
from torch import nn

class Network(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer, self.kind = nn.Linear(2, 2), kind
    def forward(self, x):
        y = self.layer(x)
        return {"plain": {"y": y, "z": y + 1}, "nested": OrderedDict(y=y, text={"z": y + 1}, loss=None)}[self.kind]
"""


@pytest.mark.parametrize("answer", [X, (X, (X, X)), [X, X], {"y": X}, ({"y": X}, [X])])
def test_tensors_and_plain_containers_of_them_have_a_type(answer: object) -> None:
    assert has_type(answer)


@pytest.mark.parametrize("answer", [None, {"y": X, "z": None}, {"y": {"z": X}}, [X, (X,)], (X, None), 3])
def test_nested_records_and_what_is_no_tensor_have_none(answer: object) -> None:
    assert not has_type(answer)


@pytest.mark.parametrize(("kind", "container"), [("plain", dict), ("nested", tuple)])
def test_an_answer_without_a_type_becomes_a_tuple_of_its_tensors(tmp_path: Path, kind: str, container: type) -> None:
    (tmp_path / "net.py").write_text(CODE)
    weights = torch.nn.ModuleDict({"layer": torch.nn.Linear(2, 2)}).state_dict()
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    outputs = tuple(TensorSpec(name, "float32", ("n", 2)) for name in ("y", "z"))
    signature = Signature((TensorSpec("x", "float32", ("n", 2)),), outputs)
    source = Artifact(
        "torch", tmp_path / "w.safetensors", signature, Architecture(tmp_path, "net.py:Network", {"kind": kind})
    )
    torch_to_torchscript.convert(source, tmp_path / "model.ts", ConvertOptions())
    found = torch.jit.load(str(tmp_path / "model.ts"))(X)
    assert isinstance(found, container)
    y, z = found.values() if isinstance(found, dict) else found
    torch.testing.assert_close(y, X @ weights["layer.weight"].T + weights["layer.bias"])
    torch.testing.assert_close(z, y + 1)
