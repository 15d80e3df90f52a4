"""Builds networks of transformers from a configuration, with random weights: nothing is downloaded."""

from typing import Any

import torch

from isoform.hub import torchvision_operators
from zoo import vision


def build(model: str, config: str = "", **settings: Any) -> torch.nn.Module:
    """Return ``transformers.<model>`` with seeded weights, in eval mode.

    Args:
        model: the class; with ``.part`` behind it, only that part of it.
        config: the configuration's class; by default the one that the model declares.
        settings: of the configuration; ``backbone`` holds class and settings of the configuration of a backbone.
    """
    torchvision_operators.make_importable()
    import transformers

    name, _, part = model.partition(".")
    architecture = getattr(transformers, name)
    torch.manual_seed(0)
    if "backbone" in settings:
        kind, inner = settings.pop("backbone")
        settings["backbone_config"] = getattr(transformers, kind)(**inner)
    configuration = (getattr(transformers, config) if config else architecture.config_class)(**settings)
    module = architecture(configuration)
    return vision.without_constants(module.get_submodule(part) if part else module).eval()
