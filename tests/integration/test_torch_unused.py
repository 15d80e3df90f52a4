"""Parameters that no output depends on may be missing from an export; all others may not."""

import torch
from torch import nn

from isoform.core.signature import Signature, TensorSpec
from isoform.hub import examples
from isoform.hub.torch_reach import unused_parameters


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


class Optional(nn.Module):
    """The declared inputs are the first and the last argument; what stands between is left out."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, y: torch.Tensor | None = None) -> torch.Tensor:
        if y is None:
            raise ValueError("y is needed")
        return x + y


def test_a_module_is_tried_with_its_arguments_by_name() -> None:
    signature = Signature((TensorSpec("x", "float32", ("n", 4)), TensorSpec("y", "float32", ("n", 4))), ())
    example = examples.traced(Optional(), signature)
    torch.testing.assert_close(example.outputs[0], example.inputs[0] + example.inputs[1])
