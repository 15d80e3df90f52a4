"""Builds the networks of diffusers, with random weights: nothing is downloaded."""

from typing import Any

import torch

from isoform.hub import torchvision_operators
from zoo import vision


def build(model: str, part: str = "", **settings: Any) -> torch.nn.Module:
    """Return ``diffusers.<model>`` with seeded weights, in eval mode; with ``part``, only that submodule.

    An autoencoder is its decoder behind its quantisation: what a pipeline runs last.
    """
    torchvision_operators.make_importable()
    import diffusers

    torch.manual_seed(0)
    module = getattr(diffusers, model)(**settings)
    return vision.without_constants(module.get_submodule(part) if part else module).eval()
