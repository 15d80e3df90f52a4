"""Which parameters a factor of channels explains, multiplied into the layer beside it: ``W' = W s``.

After the layer, ``b' = b s + t``; before it, as where a layer normalisation's own scale goes into the product that
follows, ``b' = b + W t``. Evaluated in float64 and rounded once, as batch normalisation is (core/batch_norm.py).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.channel_factors import channel_factors, channel_sums
from isoform.core.near import NearIndex

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]
Found = dict[str, tuple[str, ...]]


def scaled_parameters(source: Weights, missing: Weights, export: Weights) -> Found:
    """Return the parameters among ``missing`` that a factor explains, each with the export's tensors it went into.

    A kernel that is there as it was may have been multiplied by ones, which are missing then.
    """
    vectors = {name: array for name, array in missing.items() if array.squeeze().ndim == 1 and array.size > 1}
    index = NearIndex(export)
    explained: Found = {}
    for name, kernel in source.items():
        left = vectors if name in missing else {key: array for key, array in vectors.items() if key not in explained}
        if kernel.ndim > 1 and name not in vectors and left:
            found = _explained(name, kernel, left, source, index)
            explained |= {key: tensors for key, tensors in found.items() if key in missing}
    return explained


def _explained(name: str, kernel: Array, vectors: Weights, source: Weights, index: NearIndex) -> Found:
    """Return what became of a kernel, of the factor of its channels, its bias and the summand beside the factor."""
    for key in _nearest(name, vectors):
        scale = vectors[key].reshape(-1).astype(np.float64)
        for factor in channel_factors(kernel.shape, scale):
            folded = index.find(kernel, factor)
            if folded is None:
                continue
            others = {other: array for other, array in vectors.items() if other != key}
            for names, bias in _biases(name, kernel, scale, others, source):
                tensor = index.find(bias)
                if tensor:
                    return dict.fromkeys((name, key, *names), (folded, tensor))
            return dict.fromkeys((name, key), (folded,))
    return {}


def _biases(
    name: str, kernel: Array, scale: Array, vectors: Weights, source: Weights
) -> Iterator[tuple[tuple[str, ...], Array]]:
    """Yield what the bias may have become, and of which parameters it was made."""
    module = name[: max(name.rfind("."), name.rfind("/")) + 1]
    own: Weights = {f"{module}bias": source[f"{module}bias"]} if f"{module}bias" in source else vectors
    biases: dict[tuple[str, ...], Array] = {(): np.zeros(1)}
    biases |= {(key,): own[key].reshape(-1).astype(np.float64) for key in _nearest(name, own)}
    for names, bias in biases.items():
        if bias.size == scale.size:
            yield names, bias * scale
    for key in _nearest(name, vectors):
        summand = vectors[key].reshape(-1).astype(np.float64)
        if summand.size != scale.size:
            continue
        given = [total for factor in channel_factors(kernel.shape, summand) for total in channel_sums(kernel, factor)]
        for names, bias in biases.items():
            if names != (key,) and bias.size in (1, scale.size):
                yield (*names, key), bias * scale + summand
            for total in given:
                if bias.size in (1, total.size):
                    yield (*names, key), bias + total
    for names, bias in biases.items():  # what is added may be a parameter that is there elsewhere, too
        for summand in source.values() if names and bias.size == scale.size else ():
            if summand.size == scale.size:
                yield names, bias * scale + summand.reshape(-1)


def _nearest(name: str, vectors: Weights) -> list[str]:
    """Return the vectors' names, those of the modules nearest to ``name`` first: it is one of them, mostly."""
    parts = name.replace("/", ".").split(".")

    def shared(key: str) -> int:
        pairs = zip(parts, key.replace("/", ".").split("."), strict=False)
        return next((place for place, (one, other) in enumerate(pairs) if one != other), len(parts))

    return sorted(vectors, key=shared, reverse=True)
