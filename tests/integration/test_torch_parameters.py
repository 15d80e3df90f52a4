"""Gate 1 on parameters that a conversion computes with before the inputs meet them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isoform import hub  # noqa: E402


class Attention(torch.nn.Module):
    """Query and value biases beside a key that has none, and a temperature: as in BEiT, and in CLIP."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(24, 8))
        self.q_bias, self.v_bias = (torch.nn.Parameter(torch.randn(8)) for _ in range(2))
        self.scale = torch.nn.Parameter(torch.tensor(0.3))
        self.gain = torch.nn.Parameter(torch.randn(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        q, k, v = torch.nn.functional.linear(x, self.weight, bias).chunk(3, -1)
        return torch.softmax(q @ k.transpose(1, 2) * self.scale.exp(), -1) @ v * (1 + self.gain)


def test_the_graph_holds_every_parameter_as_the_module_does() -> None:
    torch.manual_seed(0)
    module = Attention().eval()
    graph = hub.from_torch(module, {"x": torch.randn(2, 5, 8)}, {"x": {0: "batch", 1: "length"}})
    held = [value.const_value.numpy() for value in graph.graph.initializers.values()]
    for name in ("scale", "gain", "weight"):
        wanted = module.get_parameter(name).detach().numpy()
        assert any(
            array.size == wanted.size and np.array_equal(np.sort(array, None), np.sort(wanted, None)) for array in held
        )
    joined = next(array for array in held if array.shape == (24,))
    np.testing.assert_array_equal(joined[:8], module.q_bias.detach().numpy())
    np.testing.assert_array_equal(joined[16:], module.v_bias.detach().numpy())
