"""What a network of transformers takes, told from its class and its configuration.

The library calls inputs alike everywhere; what they mean is one function each. Batch and lengths are dynamic, images
have the size that the configuration or the preprocessor names.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isoform.core.signature import Dim, TensorSpec
from isoform.hub import published

_USUAL_SIDE = 224
"""Of images, where neither configuration nor preprocessor names a size: the networks then take any."""
_PARTS = ("vision_config", "image_config", "audio_config", "encoder", "backbone_config", "text_config")


@dataclass(frozen=True)
class _Network:
    """What the functions below ask.

    Attributes:
        modalities: text, image, video, audio, time.
    """

    config: Any
    preprocessor: Mapping[str, Any]
    modalities: Collection[str]

    def first(self, *names: str) -> Any:
        """Return the first of these settings that the configuration, or a part of it, has; None if none has one."""
        for config in self._parts(self.config):
            for name in names:
                if getattr(config, name, None) is not None:
                    return getattr(config, name)
        return None

    def _parts(self, config: Any) -> Iterator[Any]:
        yield config
        for name in _PARTS:
            if getattr(config, name, None) is not None:
                yield from self._parts(getattr(config, name))


def derived(module: Any, preprocessor: Mapping[str, Any], declared: Collection[str]) -> list[TensorSpec]:
    """Return the inputs of ``module``, in its order: what it needs, masks of texts, what a decoder starts from.

    Args:
        declared: names of inputs that the user describes, and nothing has to be known of.

    Raises:
        UsageError: it needs one that the configuration says nothing of.
    """
    modalities = module.input_modalities
    network = _Network(module.config, preprocessor, [modalities] if isinstance(modalities, str) else modalities)
    names = [name for name in _wanted(module, network) if name not in declared or name in _RULES]
    published.refuse_underivable(module, [name for name in names if name not in _RULES])
    return [_RULES[name](network, name) for name in names]


def _wanted(module: Any, network: _Network) -> list[str]:
    arguments = published.arguments(module)
    main = module.main_input_name
    wanted = [main] if isinstance(main, str) else list(main)
    wanted += published.required(module)
    is_placed_in_text = network.first("image_token_id", "image_token_index", "audio_token_id") is not None
    if "text" in network.modalities and "input_ids" in arguments:
        wanted += ["input_ids", "attention_mask"]
    if "image" in network.modalities and not is_placed_in_text:
        wanted += ["pixel_values"]
    if getattr(module.config, "is_encoder_decoder", False):
        wanted += ["decoder_input_ids"]
    return [name for name in arguments if name in wanted]


def _tokens(network: _Network, name: str) -> TensorSpec:
    text = network.config.get_text_config(decoder=name.startswith("decoder"))
    size = getattr(text, "vocab_size", None) or network.first("vocab_size")
    return TensorSpec(name, "int64", ("batch", "target" if name.startswith("decoder") else "length"), low=0, high=size)


def _mask(network: _Network, name: str) -> TensorSpec:
    return TensorSpec(name, "int64", ("batch", "length"), low=0, high=2)


def _image(network: _Network, name: str) -> TensorSpec:
    channels = network.first("num_channels", "in_channels", "in_chans", "num_image_channels") or 3
    size = _pair(network.first("image_size", "img_size", "input_size") or _prepared(network.preprocessor))
    frames = network.first("num_frames", "frames_per_clip") if "video" in network.modalities else None
    shape: tuple[Dim, ...] = ("batch", *((frames,) if frames else ()), channels, *size)
    return TensorSpec(name, "float32", shape, None if frames else "NCHW")


def _prepared(preprocessor: Mapping[str, Any]) -> Any:
    """Return the size to which the preprocessor brings images."""
    return preprocessor.get("crop_size") or preprocessor.get("size") or _USUAL_SIDE


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        size = (size["height"], size["width"]) if "height" in size else next(iter(size.values()))
    return (int(size[0]), int(size[1])) if isinstance(size, (list, tuple)) else (int(size), int(size))


def _features(network: _Network, name: str) -> TensorSpec:
    """Return frames of a spectrogram: bands last, but for networks that take half a minute at once, bands first."""
    bands = network.first("num_mel_bins", "feature_size", "feature_projection_input_dim", "input_feat_per_channel")
    bands = bands * (network.first("input_channels") or 1) if network.first("input_feat_per_channel") else bands
    positions = network.first("max_source_positions")
    if network.first("num_mel_bins") and positions and not network.first("input_feat_per_channel"):
        return TensorSpec(name, "float32", ("batch", bands, 2 * positions))
    return TensorSpec(name, "float32", ("batch", "time", bands))


def _waveform(network: _Network, name: str) -> TensorSpec:
    bands, frames = network.first("num_mel_bins"), network.first("max_length")
    if bands and frames:  # a spectrogram under the same name, its length that of the positions
        return TensorSpec(name, "float32", ("batch", frames, bands))
    channels = network.first("audio_channels")
    return TensorSpec(name, "float32", ("batch", *((channels,) if channels else ()), "samples"))


def _series(network: _Network, name: str) -> TensorSpec:
    length, channels = network.first("context_length"), network.first("num_input_channels", "input_size") or 1
    return TensorSpec(name, "float32", ("batch", length, channels))


_RULES: Mapping[str, Callable[[_Network, str], TensorSpec]] = {
    "input_ids": _tokens,
    "decoder_input_ids": _tokens,
    "attention_mask": _mask,
    "pixel_values": _image,
    "pixel_values_videos": _image,
    "input_features": _features,
    "input_values": _waveform,
    "past_values": _series,
}
