"""Parameters that no output depends on may be missing from an export; all others may not."""

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from isoform.core.artifact import Architecture, Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.torch_reach import rows_read, unused_buffers, unused_parameters
from isoform.runtimes import torch_eager


class Network(nn.Module):
    """A trunk with a head that is not called, and one whose result is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.called, self.ignored, self.tied = nn.Linear(4, 2), nn.Linear(4, 3), nn.Linear(4, 4)
        self.tied.weight = self.trunk[0].weight
        self.table = nn.Embedding(5, 4)

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        features = self.trunk(x) + self.table(ids)
        self.ignored(features)
        return self.called(features.relu())


def test_only_what_no_output_depends_on_is_unused() -> None:
    network = Network().eval()
    outputs = [network(torch.rand(3, 4), torch.tensor([0, 1, 2]))]
    assert unused_parameters(network, outputs) == ["ignored.weight", "ignored.bias", "tied.bias"]


def test_the_statistics_of_a_layer_that_is_not_called_are_unused_too() -> None:
    network = nn.ModuleDict({"called": nn.BatchNorm1d(4), "spare": nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))})
    outputs = [network["called"].eval()(torch.rand(3, 4))]
    assert unused_parameters(network, outputs) == [
        "spare.0.weight", "spare.0.bias", "spare.1.weight", "spare.1.bias", "spare.1.running_mean",
        "spare.1.running_var",
    ]  # fmt: skip


class Buffers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))
        self.scaled, self.mask = nn.Module(), nn.Module()
        self.scaled.register_buffer("scale", torch.tensor([3.0, 4.0]))
        self.mask.register_buffer("ignored", torch.tensor([5.0, 6.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scaled.scale


def test_buffers_that_change_no_output_are_unused_and_keep_their_values() -> None:
    network, x = Buffers(), torch.rand(3, 2)
    assert unused_buffers(network, lambda: [network(x)]) == ["loss.weight", "mask.ignored"]
    assert network.scaled.scale.tolist() == [3, 4]
    assert network.loss.weight.tolist() == [1, 2]


class Cropped(nn.Module):
    """A table of positions of which the middle is read, and one of which everything is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positions", torch.rand(1, 16, 3))
        self.whole, self.words = nn.Parameter(torch.rand(4, 3)), nn.Embedding(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        middle = self.positions.reshape(4, 4, 3)[1:3, 1:3].reshape(4, 3)
        return (x + middle + self.whole + self.words(torch.tensor([2]))).softmax(-1)


def test_the_rows_of_a_table_that_are_read_are_known_and_those_of_an_embedding_depend_on_the_input() -> None:
    network = Cropped()
    assert rows_read(network, lambda: [network(torch.rand(2, 4, 3))]) == {"positions": [5, 6, 9, 10]}


def test_an_operator_without_a_derivative_leaves_every_row() -> None:
    network = Cropped()

    def refused() -> list[torch.Tensor]:
        raise RuntimeError("derivative for this is not implemented")

    assert rows_read(network, refused) == {}


_OPTIONAL = """
import torch
class Optional(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    def forward(self, x, mask=None, y=None):
        if y is None:
            raise ValueError("y is needed")
        return self.used(x) + y
"""


def test_a_module_whose_inputs_are_not_its_first_arguments_is_called_by_name(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_OPTIONAL)
    layers = nn.ModuleDict({name: nn.Linear(4, 4) for name in ("used", "unused")})
    safetensors.torch.save_file(layers.state_dict(), tmp_path / "w.safetensors")
    signature = Signature((TensorSpec("x", "float32", ("n", 4)), TensorSpec("y", "float32", ("n", 4))), ())
    architecture = Architecture(tmp_path, "net.py:Optional", {})
    source = Artifact("torch", tmp_path / "w.safetensors", signature, architecture)
    assert torch_eager.unused(source) == ["unused.weight", "unused.bias"]
