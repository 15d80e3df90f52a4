"""Parameters that no output depends on may be missing from an export; all others may not."""

import torch
from torch import nn

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
