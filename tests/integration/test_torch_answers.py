"""What a module answers keeps its structure in TorchScript where there is a type for it, and its tensors always."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from isoform.converters import torch_to_torchscript
from isoform.core.artifact import Architecture, Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import answers, examples, torch_trace
from isoform.hub.torchscript import Named, has_type

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


class Selected(torch.nn.Module):
    """The rows with the highest scores, which differ by less than float32 tells, or by much."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.score = torch.nn.Parameter(torch.tensor([spread, 1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.stack([x.sin(), x.cos()], -1)
        return x[torch.topk(((rows * rows).sum(-1) + rows @ self.score * self.score[0]), 4).indices]


@pytest.mark.parametrize(("spread", "is_refused"), [(0.0, False), (1.0, True)])
def test_other_values_are_refused_unless_the_module_itself_gives_others(spread: float, is_refused: bool) -> None:
    signature = Signature((TensorSpec("x", "float32", (64,)),), (TensorSpec("y", "float32", (4,)),))
    example = examples.checked(Selected(spread), signature)[0]
    swapped = [example.outputs[0].flip(0)]
    assert answers.is_unsteady(example, 0) != is_refused
    if is_refused:
        with pytest.raises(IsoformError, match="'y' is not what the model gives"):
            answers.compare(signature, example, swapped)
    else:
        answers.compare(signature, example, swapped)


def test_a_module_is_as_it_was_after_it_answered_in_float64() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    signature = Signature((TensorSpec("x", "float32", ("n", 3)),), (TensorSpec("y", "float32", ("n", 3)),))
    wide = next(iter(examples.checked(module, signature)[0].again()))
    assert wide[0].dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_the_older_exporter_leaves_a_network_in_eval_mode() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()).eval()
    signature = Signature((TensorSpec("x", "float32", ("n", 2)),), (TensorSpec("y", "float32", ("n", 2)),))
    torch_trace.export(Named(network, signature, is_flat=True), signature, (X,))
    assert not any(child.training for child in network.modules())
