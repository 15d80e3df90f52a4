"""A mixture of experts as transformers writes it: three ways to compute it, one of which exporters carry."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from isoform import hub
from isoform.hub.torch_experts import gathered_experts

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Experts(nn.Module):
    """Two experts, of which each row has one."""

    def __init__(self, setting: str | None) -> None:
        super().__init__()
        self.config = SimpleNamespace(_experts_implementation=setting)
        self.weight = nn.Parameter(torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)))

    def forward(self, x):
        place = (x[:, 0] > 0).long()
        if self.config._experts_implementation == "batched_mm":
            return (x[:, None] @ self.weight[place])[:, 0]
        order = place.argsort()
        counts = torch.bincount(place, minlength=2).tolist()  # a decision by values
        groups = [rows @ matrix for rows, matrix in zip(x[order].split(counts), self.weight, strict=True)]
        return torch.cat(groups)[order.argsort()]


@pytest.mark.parametrize("setting", ["grouped_mm", "eager"])
@pytest.mark.parametrize("exporter", ["export", "trace"])
def test_a_mixture_of_experts_converts_by_either_exporter(setting: str, exporter: str) -> None:
    module = nn.Sequential(Experts(setting))
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    graph = hub.from_torch(module, (x[:4],), dynamic_shapes=({0: "batch"},), exporter=exporter)
    torch.testing.assert_close(hub.to_torch(graph)(x), module(x))
    assert module[0].config._experts_implementation == setting


@pytest.mark.parametrize("setting", [None, "batched_mm", "of one's own"])
def test_what_has_another_form_keeps_it(setting: str | None) -> None:
    module = Experts(setting)
    with gathered_experts(module):
        assert module.config._experts_implementation == setting


def test_the_setting_comes_back_when_the_network_fails() -> None:
    module = Experts("grouped_mm")
    with pytest.raises(KeyError), gathered_experts(module):
        raise KeyError
    assert module.config._experts_implementation == "grouped_mm"
