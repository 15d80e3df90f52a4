"""Operators that PyTorch's exporter to ONNX has no form for, through ours and back, at a batch that was not traced."""

import re

import pytest
import torch
from torch import nn
from torch.nn.functional import grid_sample, scaled_dot_product_attention

from isoform import hub
from isoform.errors import IsoformError

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


def permuted(x):
    """Return matrices that have zeros on the diagonal: without another order of rows they have no pivots."""
    return ((SQUARE - SQUARE.diag().diag()) + x.mean((1, 2), keepdim=True))[:, [2, 0, 1, 4, 5, 3]] - x.mean(
        (1, 2), True
    )


BIAS = torch.rand(6, 6, generator=torch.Generator().manual_seed(2))
TABLE = torch.rand(40, 5, generator=torch.Generator().manual_seed(3))
SQUARE = torch.rand(6, 6, generator=torch.Generator().manual_seed(4)) + 2 * torch.eye(6)
VOLUME = torch.rand(1, 2, 4, 5, 6, generator=torch.Generator().manual_seed(5))


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
        lambda x: (x * 3).round().sort(dim=1, descending=True, stable=True),
        lambda x: (x * 3).round().argsort(stable=True),
        lambda x: (x * 3).round().cummax(1),
        lambda x: (x * 9).long().cummin(-1),
        lambda x: torch.searchsorted(x[..., 0].sort(-1).values, x[:, 0]),
        lambda x: torch.searchsorted(torch.tensor([0.2, 0.5, 0.7]), (x * 10).round() / 10, right=True, out_int32=True),
        lambda x: torch.cdist(x, x.flip(1) + 0.1),
        lambda x: torch.cdist(x.repeat(1, 6, 1), TABLE),
        lambda x: torch.cdist(x, x[:, :2] + 0.1, p=1.0),
        lambda x: torch.cdist(x, x[:, :2] + 0.1, p=3.0),
        lambda x: torch.cdist(x, x[:, :2], p=float("inf")),
        lambda x: torch.linalg.solve_triangular(SQUARE + x[..., :1], x, upper=False),
        lambda x: torch.linalg.solve_triangular(SQUARE + x[..., :1], x, upper=True, unitriangular=True),
        lambda x: torch.linalg.solve_triangular(SQUARE + x[..., :1], x.mT, upper=False, left=False),
        lambda x: torch.masked_select(x, x[:, :1] > 0.5),
        lambda x: torch.linalg.inv(permuted(x)),
        lambda x: torch.inverse(SQUARE),
        lambda x: torch.linalg.inv_ex(permuted(x)),
        lambda x: torch.linalg.solve(permuted(x), x),
        lambda x: torch.linalg.solve(permuted(x), x[..., 0]),
        lambda x: torch.linalg.solve(SQUARE, x),
        lambda x: torch.linalg.solve(permuted(x), x.mT, left=False),
        lambda x: torch.linalg.cholesky(x @ x.mT + SQUARE @ SQUARE.mT),
        lambda x: torch.linalg.cholesky_ex(x @ x.mT + SQUARE @ SQUARE.mT, upper=True).L,
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
        "stable sort",
        "stable argsort",
        "cummax",
        "cummin",
        "searchsorted",
        "searchsorted in a row",
        "cdist",
        "cdist of many",
        "cdist of sums",
        "cdist of cubes",
        "cdist of maxima",
        "lower triangle",
        "upper triangle of ones",
        "lower triangle on the right",
        "masked_select",
        "inverse",
        "inverse of a constant",
        "inverse and success",
        "solve",
        "solve a row",
        "solve one system",
        "solve on the right",
        "cholesky",
        "upper cholesky",
    ],
)
def test_the_graph_answers_as_the_module_does(function) -> None:
    graph = hub.from_torch(Network(function).eval(), (torch.rand(2, 6, 5),), dynamic_shapes=({0: "batch"},))
    x = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))
    wanted, found = function(x), hub.to_torch(graph)(x)
    torch.testing.assert_close(found, tuple(wanted) if isinstance(wanted, tuple) else wanted)


def test_a_system_of_a_dynamic_size_is_refused() -> None:
    function = Network(lambda x: torch.linalg.inv(x @ x.mT + 1))
    with pytest.raises(
        IsoformError, match=r"a linear system of \S+ rows has no ONNX form here: of 1 to 64, known, it has"
    ):
        hub.from_torch(function.eval(), (torch.rand(2, 6, 5),), dynamic_shapes=({1: "rows"},))


def test_an_operator_without_a_form_is_named_with_its_line() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(Network(lambda x: x.view(torch.int32)).eval(), (torch.rand(2, 6),))
    assert caught.value.kind == "unsupported-operator"
    assert re.fullmatch(
        r"'aten\.view\.dtype' at test_torch_translations\.py:\d+ `.*`: no ONNX form here\.", caught.value.what
    )


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border"])
def test_a_volume_is_read_where_a_grid_says(mode: str, padding_mode: str) -> None:
    def function(x):
        places = x.reshape(-1, 2, 3, 5, 1).expand(-1, -1, -1, -1, 3) * 2.5 - 1.2
        return grid_sample(VOLUME.expand(x.shape[0], -1, -1, -1, -1), places, mode, padding_mode, align_corners=False)

    graph = hub.from_torch(Network(function).eval(), (torch.rand(2, 6, 5),), dynamic_shapes=({0: "batch"},))
    x = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(hub.to_torch(graph)(x), function(x))
