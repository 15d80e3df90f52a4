"""Operators that PyTorch's exporter to ONNX has no form for, through ours and back, at a batch that was not traced."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

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


def attended(mask=None, **options):
    return lambda x: scaled_dot_product_attention(x, x.tanh(), x.flip(-1), mask, **options)


BIAS = torch.rand(6, 6, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    "function",
    [
        attended(),
        attended(scale=0.3),
        attended(is_causal=True),
        attended(BIAS),
        attended(BIAS > 0.5),
        lambda x: attended()(x[:, None]),
        lambda x: attended()(x[:, None, None]),
        lambda x: torch.cumprod(x, -1),
        lambda x: torch.cat([x.median(-1)[0], x.median(1)[0]], -1),
        lambda x: x.median(1, keepdim=True),
        lambda x: x.kthvalue(2, -1),
        lambda x: x.kthvalue(4, 1, keepdim=True),
    ],
    ids=[
        "attention",
        "scaled",
        "causal",
        "biased",
        "masked",
        "four axes",
        "five axes",
        "cumprod",
        "median",
        "median kept",
        "kthvalue",
        "kthvalue kept",
    ],
)
def test_the_graph_answers_as_the_module_does(function) -> None:
    graph = hub.from_torch(Network(function).eval(), (torch.rand(2, 6, 5),), dynamic_shapes=({0: "batch"},))
    x = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))
    wanted, found = function(x), hub.to_torch(graph)(x)
    torch.testing.assert_close(found, tuple(wanted) if isinstance(wanted, tuple) else wanted)
