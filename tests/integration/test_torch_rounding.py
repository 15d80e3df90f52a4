"""How far rounding moves a PyTorch network, where disturbed weights alone do not show it."""

import numpy as np
import torch
from torch import nn

from isoform.core.protocols import Perturbation
from isoform.hub import torch_source

UNIT = 2.0**-24


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(8, 8, eps=1e-6), nn.Conv2d(8, 4, 3))
    return layers.double().eval()


def spread(image: torch.Tensor, are_layers_disturbed: bool) -> float:
    """Return how far the disturbed network is from the exact one, as a share of what it gives."""
    found = []
    with torch.no_grad():
        exact = network()(image)
        for seed in range(4):
            other, disturbance = network(), Perturbation(seed, UNIT)
            torch_source.disturb(other, disturbance)
            if are_layers_disturbed:
                torch_source.disturb_layers(other, disturbance)
            found.append((other(image) - exact).square().mean().item())
    return float(np.sqrt(np.mean(found)) / exact.square().mean().sqrt().item())


def test_a_constant_image_is_at_the_mercy_of_rounding_and_disturbed_weights_do_not_say_so() -> None:
    constant, noise = torch.zeros(2, 3, 9, 9).double(), torch.randn(2, 3, 9, 9).double()
    assert spread(constant, are_layers_disturbed=False) < 2 * UNIT
    assert spread(constant, are_layers_disturbed=True) > 50 * UNIT
    assert spread(noise, are_layers_disturbed=True) < 2 * spread(noise, are_layers_disturbed=False)


def test_layers_are_disturbed_alike_for_one_seed_and_anew_in_each_call() -> None:
    image = torch.randn(1, 3, 9, 9).double()
    one, other = network(), network()
    for each in (one, other):
        torch_source.disturb_layers(each, Perturbation(3, UNIT))
    first, second = one(image), one(image)
    assert not torch.equal(first, second)
    assert torch.equal(first, other(image))


def test_whole_numbers_and_several_results_pass_through() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(4, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found, state = self.gru(x)
            return found, state.argmax(-1)

    layers = Two()
    expected = layers(torch.ones(5, 1, 4))
    torch_source.disturb_layers(layers, Perturbation(0, 0.25))
    found = layers(torch.ones(5, 1, 4))
    assert not torch.equal(found[0], expected[0])
    assert found[1].dtype == torch.int64
