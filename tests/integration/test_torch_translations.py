"""Operators that PyTorch's exporter to ONNX has no form for, through ours and back, at a batch that was not traced."""

import pytest
import torch
from torch import nn

from isoform import hub

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Network(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.cumprod(x, -1),
        lambda x: torch.cat([x.median(-1)[0], x.median(1)[0]], -1),
        lambda x: x.median(1, keepdim=True),
        lambda x: x.kthvalue(2, -1),
        lambda x: x.kthvalue(4, 1, keepdim=True),
    ],
    ids=["cumprod", "median", "median kept", "kthvalue", "kthvalue kept"],
)
def test_the_graph_answers_as_the_module_does(function) -> None:
    graph = hub.from_torch(Network(function).eval(), (torch.rand(2, 6, 5),), dynamic_shapes=({0: "batch"},))
    x = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))
    wanted, found = function(x), hub.to_torch(graph)(x)
    torch.testing.assert_close(found, tuple(wanted) if isinstance(wanted, tuple) else wanted)
