"""Networks of diffusers: the parts of a pipeline, each in a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import diffusers
import torch

from isoform.core.signature import TensorSpec
from isoform.core.state_dict import Unwrapped, fit_names
from isoform.errors import IsoformError
from isoform.hub import published

_STEPS = 1000
"""Of noise, that these networks are trained with."""


def build(config: Mapping[str, Any]) -> torch.nn.Module:
    """Return the network with fresh weights.

    Raises:
        IsoformError: diffusers has no such network.
    """
    kind = getattr(diffusers, config["_class_name"], None)
    if not isinstance(kind, type) or not issubclass(kind, diffusers.ModelMixin):
        raise IsoformError(
            f"diffusers {diffusers.__version__} has no network '{config['_class_name']}'.",
            "pip install --upgrade diffusers, or name the folder of one network of the pipeline.",
            kind="architecture",
        )
    network: Any = kind  # a class of an untyped library, checked above
    module: torch.nn.Module = network.from_config(dict(config))
    return module


def fitted(config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Unwrapped:
    """Return ``tensors`` under the network's names."""
    return fit_names(tensors, build(config).state_dict().keys())


def inputs(
    config: Mapping[str, Any], module: Any, preprocessor: Mapping[str, Any], declared: Sequence[TensorSpec]
) -> list[TensorSpec]:
    """Return the inputs that the network cannot do without."""
    given = {spec.name for spec in declared}
    names = [name for name in published.required(module) if name in _RULES or name not in given]
    published.refuse_underivable(module, [name for name in names if name not in _RULES])
    return [_RULES[name](module.config, name) for name in names]


def _sample(config: Mapping[str, Any], name: str) -> TensorSpec:
    size = config.get("sample_size") or 64
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return TensorSpec(name, "float32", ("batch", config["in_channels"], int(height), int(width)), "NCHW")


def _timestep(config: Mapping[str, Any], name: str) -> TensorSpec:
    return TensorSpec(name, "int64", ("batch",), low=0, high=_STEPS)


def _condition(config: Mapping[str, Any], name: str) -> TensorSpec:
    width = config.get("caption_channels") or config.get("joint_attention_dim") or config["cross_attention_dim"]
    return TensorSpec(name, "float32", ("batch", "length", width))


_RULES: Mapping[str, Callable[[Mapping[str, Any], str], TensorSpec]] = {
    "sample": _sample,
    "hidden_states": _sample,
    "timestep": _timestep,
    "encoder_hidden_states": _condition,
}
