"""Networks of timm: one image in, as large as the configuration of the weights says."""

from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch

from isoform.core.signature import TensorSpec
from isoform.core.state_dict import Unwrapped, fit_names

_SETTINGS = ("num_classes", "global_pool")
_READING = ("checkpoint_path", "cache_dir")
"""Arguments that make the library open other files."""


def build(config: Mapping[str, Any]) -> torch.nn.Module:
    """Return the network with fresh weights."""
    settings = {name: config[name] for name in _SETTINGS if config.get(name) is not None}
    settings |= {name: value for name, value in config.get("model_args", {}).items() if name not in _READING}
    module: torch.nn.Module = timm.create_model(config["architecture"], pretrained=False, **settings)
    return module


def fitted(config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Unwrapped:
    """Return ``tensors`` under the network's names."""
    return fit_names(tensors, build(config).state_dict().keys())


def inputs(
    config: Mapping[str, Any], module: Any, preprocessor: Mapping[str, Any], declared: Sequence[TensorSpec]
) -> list[TensorSpec]:
    """Return the image."""
    weights = config.get("pretrained_cfg", config)
    sizes = weights.get("input_size") or module.pretrained_cfg["input_size"]
    return [TensorSpec("image", "float32", ("batch", *map(int, sizes)), "NCHW")]
