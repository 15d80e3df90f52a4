"""timm's networks with random weights, no constant left among them, and what the other builders share."""

from typing import Any

import torch

from isoform.hub import torchvision_operators

_LEAST_MEAN = 0.5


def build(name: str, **options: Any) -> torch.nn.Module:
    """Return a network of timm's with seeded weights, in eval mode; needs ``pip install --group zoo``."""
    torchvision_operators.make_importable()
    import timm

    torch.manual_seed(0)
    return without_constants(_let_through(timm.create_model(name, pretrained=False, num_classes=10, **options))).eval()


@torch.no_grad()
def _let_through(module: torch.nn.Module) -> torch.nn.Module:
    """Draw normalisations' scales around one where they are drawn around a tenth, as timm's RepVGG does: 22 in a row
    leave nothing of the input, and no fault before the last of them would change a number.
    """
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d) and layer.weight.std() > 0 and layer.weight.mean() < _LEAST_MEAN:
            layer.weight.add_(1 - layer.weight.mean())
    return module


@torch.no_grad()
def without_constants(module: torch.nn.Module) -> torch.nn.Module:
    """Disturb every constant parameter in place: zero scales let converters delete whole branches unseen."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and tensor.numel() and bool((tensor == tensor.reshape(-1)[0]).all()):
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            else:
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return module
