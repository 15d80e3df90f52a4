"""Networks of transformers: what ``architectures`` names in their configuration, without caches, in float32."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import transformers

from isoform.core.signature import TensorSpec
from isoform.core.state_dict import Unwrapped, shown
from isoform.errors import IsoformError
from isoform.hub.published import transformers_inputs

_FETCHING = ("_attn_implementation", "attn_implementation", "_experts_implementation", "use_kernels", "fusion_config")
"""Settings that can name code to be fetched, or that change the numbers: the library's defaults are taken."""


def build(config: Mapping[str, Any]) -> torch.nn.Module:
    """Return the network with fresh weights; a decoder keeps no cache, so that it is a function of its inputs."""
    configuration = _configuration(config)
    return _class(config, configuration)(configuration)


def fitted(config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Unwrapped:
    """Return ``tensors`` as transformers reads them: names of older versions, prefixes and ties are its business.

    Raises:
        IsoformError: weights of the network are missing, or have other shapes.
    """
    configuration = _configuration(config)
    module, report = _class(config, configuration).from_pretrained(
        None, config=configuration, state_dict=dict(tensors), dtype=torch.float32, output_loading_info=True
    )
    missing, left = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if missing:
        raise IsoformError(
            f"The weights do not fit {type(module).__name__}; {len(missing)} missing: {shown(missing)}.",
            "Fetch the folder again, or correct 'architectures' in its config.json.",
            kind="state-dict",
        )
    state = module.state_dict()
    renamed = sorted(set(tensors) - set(state) - set(left))
    steps = [f"left out {len(left)} weights that {type(module).__name__} does not have: {shown(left)}"] if left else []
    steps += [f"renamed {len(renamed)} weights as transformers does: {shown(renamed)}"] if renamed else []
    return Unwrapped(state, tuple(steps))


def inputs(
    config: Mapping[str, Any], module: Any, preprocessor: Mapping[str, Any], declared: Sequence[TensorSpec]
) -> list[TensorSpec]:
    """Return the inputs that follow from the configuration."""
    return transformers_inputs.derived(module, preprocessor, {spec.name for spec in declared})


def _configuration(config: Mapping[str, Any]) -> Any:
    """Return the configuration as an object; only classes of the library's own are looked up.

    Raises:
        IsoformError: the library does not know this kind of network, or its weights are quantised.
    """
    kind = config["model_type"]
    if kind not in transformers.CONFIG_MAPPING:
        with_code = "auto_map" in config
        raise IsoformError(
            f"transformers {transformers.__version__} has no network of the type '{kind}'"
            + (", whose code lies in the folder: it is not run." if with_code else "."),
            "Read that code, then name what builds the network: --arch FILE.py:CALLABLE"
            if with_code
            else "pip install --upgrade transformers, or name what builds the network: --arch FILE.py:CALLABLE",
            kind="architecture",
        )
    if "quantization_config" in config:
        raise IsoformError(
            "The weights of this folder are quantised in a way of their own ('quantization_config').",
            "Convert the folder of the model that was quantised.",
            kind="quantised",
        )
    found = transformers.CONFIG_MAPPING[kind].from_dict(_plain(config))
    for part in _parts(found):
        part.use_cache, part.return_dict, part.dtype = False, True, torch.float32
        part._experts_implementation = "batched_mm"  # the one without a loop over experts that depends on the data
    return found


def _plain(config: Any) -> Any:
    """Return ``config`` without `_FETCHING`, however deep, infinities as numbers, backbones that fetch no weights."""
    if isinstance(config, list):
        return [_plain(each) for each in config]
    if not isinstance(config, Mapping):
        return config
    if set(config) == {"__float__"}:
        return float(config["__float__"])
    kept = {key: _plain(value) for key, value in config.items() if key not in _FETCHING}
    return kept | ({"use_pretrained_backbone": False} if "use_pretrained_backbone" in config else {})


def _parts(configuration: Any) -> Iterator[Any]:
    """Yield a configuration and those inside of it."""
    yield configuration
    for name in getattr(configuration, "sub_configs", {}):
        part = getattr(configuration, name, None)
        if isinstance(part, transformers.PreTrainedConfig):
            yield from _parts(part)


def _class(config: Mapping[str, Any], configuration: Any) -> Any:
    """Return the class that ``architectures`` names first, or the network without a head where it names none."""
    names = config.get("architectures") or ()
    if not names:
        return transformers.AutoModel._model_mapping[type(configuration)]
    found = getattr(transformers, str(names[0]), None)
    if not isinstance(found, type) or not issubclass(found, transformers.PreTrainedModel):
        raise IsoformError(
            f"transformers {transformers.__version__} has no network '{names[0]}', which 'architectures' names.",
            "pip install --upgrade transformers, or name what builds the network: --arch FILE.py:CALLABLE",
            kind="architecture",
        )
    return found
