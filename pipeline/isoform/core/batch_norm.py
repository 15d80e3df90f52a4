"""Which parameters a batch-norm fold explains: ``W' = W g / sqrt(v + e)`` and ``b' = t + (b - m) g / sqrt(v + e)``.

Into the layer after it as well, where ``W'`` is scaled by input channels and ``b' = b + W (t - m g / sqrt(v + e))``,
and where the layer is kept as one multiplication and one addition. Evaluated in float64 and rounded once, so an export
may differ by the rounding of its own arithmetic, 4 units in the last place, and by nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.channel_factors import channel_factors, channel_sums
from isoform.core.near import NearIndex

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-4, 1e-7, 1e-8, 1e-12)
_ROLES = {
    "gamma": ("weight", "gamma"),
    "beta": ("bias", "beta"),
    "mean": ("running_mean", "moving_mean"),
    "variance": ("running_var", "moving_variance"),
}


@dataclass(frozen=True)
class BatchNorm:
    """One layer's parameters, by the names that the source gives them."""

    names: dict[str, str]
    values: dict[str, Array]

    def scale(self, epsilon: float) -> Array:
        gamma = self.values.get("gamma", np.ones_like(self.values["variance"]))
        result: Array = gamma / np.sqrt(self.values["variance"] + epsilon)
        return result

    def shift(self, epsilon: float, bias: Array | float) -> Array:
        beta = self.values.get("beta", np.zeros_like(self.values["mean"]))
        result: Array = beta + (bias - self.values["mean"]) * self.scale(epsilon)
        return result

    def shift_terms(self, epsilon: float, bias: Array | float) -> Array:
        """Return the sum of the magnitudes of the terms of `shift`."""
        beta = self.values.get("beta", np.zeros_like(self.values["mean"]))
        result: Array = np.abs(beta) + (np.abs(bias) + np.abs(self.values["mean"])) * np.abs(self.scale(epsilon))
        return result


def layers(source: Weights) -> Iterator[BatchNorm]:
    """Yield every batch normalisation among ``source``, known by its running mean and variance."""
    for name in source:
        for separator in ("/", "."):
            prefix, _, last = name.rpartition(separator)
            if last in _ROLES["variance"]:
                names = {
                    role: f"{prefix}{separator}{word}"
                    for role, words in _ROLES.items()
                    for word in words
                    if f"{prefix}{separator}{word}" in source
                }
                if "mean" in names:
                    yield BatchNorm(names, {role: source[key].astype(np.float64) for role, key in names.items()})


def folded_parameters(source: Weights, missing: Weights, export: Weights) -> dict[str, tuple[str, ...]]:
    """Return the parameters among ``missing`` that a fold explains, each with the export's tensors it went into."""
    index = NearIndex(export)
    explained: dict[str, tuple[str, ...]] = {}
    epsilons = list(EPSILONS)
    for layer in layers(source):
        # A fresh layer's parameters may equal tensors of the export by chance: then only the kernel is missing.
        if not set(layer.names.values()) & set(missing) and not _could_scale(layer, missing):
            continue
        for epsilon in epsilons:
            found = _explained(layer, epsilon, source, missing, index)
            if found:
                explained |= found
                epsilons.remove(epsilon)
                epsilons.insert(0, epsilon)  # a network has one, mostly
                break
    return explained


def _could_scale(layer: BatchNorm, missing: Weights) -> bool:
    channels = layer.values["variance"].size
    return any(kernel.ndim > 1 and channels in kernel.shape for kernel in missing.values())


def _explained(
    layer: BatchNorm, epsilon: float, source: Weights, missing: Weights, index: NearIndex
) -> dict[str, tuple[str, ...]]:
    scale = layer.scale(epsilon)
    own = set(layer.names.values())
    biases = {name: array for name, array in source.items() if array.shape == scale.shape and name not in own}
    shift, bias_name = _shift_tensor(layer, epsilon, biases, index)
    if shift is None:
        return _explained_before(layer, epsilon, source, missing, index)
    factor = index.find(scale)
    kernel, folded = (None, factor) if factor else _kernel(scale, missing, index)
    if folded is None:
        return {}
    names = [*own, *filter(None, (kernel, bias_name))]
    return {name: (folded, shift) for name in names if name in missing}


def _explained_before(
    layer: BatchNorm, epsilon: float, source: Weights, missing: Weights, index: NearIndex
) -> dict[str, tuple[str, ...]]:
    """Return the same for a fold into the layer after it: ``W' = W s`` by input channels and ``b' = b + W t``."""
    scale, shift = layer.scale(epsilon), layer.shift(epsilon, 0.0)
    name, folded = _kernel(scale, missing, index)
    if name is None or folded is None:
        return {}
    module = name[: max(name.rfind("."), name.rfind("/")) + 1]
    bias = f"{module}bias"
    given = source[bias].astype(np.float64) if bias in source else np.zeros(1)
    for factor in channel_factors(missing[name].shape, shift):
        for total in channel_sums(missing[name].astype(np.float64), factor):
            tensor = index.find(given + total) if given.size in (1, total.size) else None
            if tensor:
                names = (*layer.names.values(), name, bias)
                return {each: (folded, tensor) for each in names if each in missing}
    return {}


def _shift_tensor(layer: BatchNorm, epsilon: float, biases: Weights, index: NearIndex) -> tuple[str | None, str | None]:
    for name, bias in (("", np.zeros(1)), *biases.items()):
        given = bias.astype(np.float64)
        tensor = index.find(layer.shift(epsilon, given), terms=layer.shift_terms(epsilon, given))
        if tensor:
            return tensor, name or None
    return None, None


def _kernel(scale: Array, missing: Weights, index: NearIndex) -> tuple[str | None, str | None]:
    for name, kernel in missing.items():
        for factor in channel_factors(kernel.shape, scale):
            tensor = index.find(kernel, factor)
            if tensor:
                return name, tensor
    return None, None
