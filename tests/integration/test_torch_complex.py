"""Complex numbers inside of networks, as rotary positions, spectral layers and vocoders use them, in real pairs."""

import pytest
import torch
from torch import nn

from isoform import hub

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Rotary(nn.Module):
    """Positions as complex factors, kept in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(32.0), torch.tensor([1.0, 0.1, 0.01]))
        self.register_buffer("factors", torch.polar(torch.ones_like(angles), angles))

    def forward(self, x):
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        factors = self.factors[: x.shape[1]] * 0.5
        return torch.view_as_real(pairs * factors[None, :, None]).flatten(3)


class Spectral(nn.Module):
    """A layer of a Fourier neural operator: the lowest frequencies are mixed, the others are dropped."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weights = nn.Parameter(torch.randn(3, 4, 2, 3, dtype=torch.cfloat, generator=generator))

    def forward(self, x):
        spectrum = torch.fft.rfft2(x)
        out = torch.zeros(x.shape[0], 4, x.shape[2], x.shape[3] // 2 + 1, dtype=torch.cfloat)
        out[:, :, :2, :3] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :2, :3], self.weights)
        return torch.fft.irfft2(out, s=x.shape[-2:])


class Arithmetic(nn.Module):
    def forward(self, x):
        z = torch.complex(x, x.flip(-1) + 1)
        w = torch.exp(z * 0.3j) / (z + 2) - torch.where(x > 0.5, z, 2 * z)
        return torch.cat([(w / x.exp()).real, (3 - w[..., 1:].unsqueeze(1)[:, 0] + x[..., :1]).imag, w.abs()], -1)


class Vocoder(nn.Module):
    """The last steps of a vocoder: magnitude and phase become frames, which are windowed and added up."""

    def forward(self, x):
        magnitude, phase = x.chunk(2, 1)
        spectrum = magnitude * (torch.cos(phase) + 1j * torch.sin(phase))
        frames = torch.fft.irfft(spectrum, 8, dim=1, norm="backward") * torch.hann_window(8)[None, :, None]
        return nn.functional.fold(frames, (1, 4 * 6 + 4), kernel_size=(1, 8), stride=(1, 4))[:, 0, 0, 2:-2]


def assert_same(module: nn.Module, dynamic: dict[int, str], traced: torch.Tensor, other: torch.Tensor) -> None:
    graph = hub.from_torch(module.eval(), {"x": traced}, {"x": dynamic})
    torch.testing.assert_close(hub.to_torch(graph)(other), module(other), rtol=1e-4, atol=1e-5)


def test_rotary_positions_of_a_dynamic_length() -> None:
    assert_same(Rotary(), {0: "batch", 1: "length"}, torch.rand(2, 5, 2, 6), torch.rand(3, 7, 2, 6))


def test_a_layer_over_frequencies() -> None:
    assert_same(Spectral(), {0: "batch"}, torch.rand(2, 3, 6, 8), torch.rand(3, 3, 6, 8))


def test_sums_products_quotients_and_parts() -> None:
    assert_same(Arithmetic(), {0: "batch"}, torch.rand(2, 4), torch.rand(3, 4))


def test_the_frames_of_a_vocoder() -> None:
    assert_same(Vocoder(), {0: "batch"}, torch.rand(2, 10, 6), torch.rand(3, 10, 6))
