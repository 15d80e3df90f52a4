"""Constants as training leaves them; the file has the name of one of Python's own modules on purpose."""

import torch
from torch import nn


@torch.no_grad()
def settle(module: nn.Module, seed: int) -> nn.Module:
    """Return ``module`` with seeded weights, none of which is the zero or one that it is initialised with."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator)
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
            if tensor.ndim > 1:
                tensor.copy_(drawn * (2 / fan_in) ** 0.5)
            elif name.endswith(("running_var", "weight")):
                tensor.copy_(0.5 + drawn.abs() / 4)
            else:
                tensor.copy_(drawn / 10)
    return module
