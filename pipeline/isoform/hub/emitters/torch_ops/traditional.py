"""Operators of the domain ai.onnx.ml on numbers, and counts of n-grams: what pipelines of features are exported as."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops.table import Tensor, op

DOMAIN = "ai.onnx.ml"


@op("ArrayFeatureExtractor", domain=DOMAIN)
def array_feature_extractor(x: Tensor, index: Tensor) -> Tensor:
    """Return the columns of x that an index names; a vector becomes one row."""
    picked = x.index_select(-1, index.reshape(-1).to(torch.int64))
    return picked.unsqueeze(0) if x.dim() == 1 else picked


@op("Binarizer", domain=DOMAIN)
def binarizer(x: Tensor, *, threshold: float = 0.0) -> Tensor:
    return (x > threshold).to(x.dtype)


@op("LabelEncoder", domain=DOMAIN)
def label_encoder(
    x: Tensor, *, keys_int64s: Sequence[int] | None = None, keys_floats: Sequence[float] | None = None,
    keys_tensor: Tensor | None = None, values_int64s: Sequence[int] | None = None,
    values_floats: Sequence[float] | None = None, values_tensor: Tensor | None = None,
    default_int64: int = -1, default_float: float = -0.0, default_tensor: Tensor | None = None,
    default_string: str = "", keys_strings: Any = None, values_strings: Any = None, classes_strings: Any = None,
) -> Tensor:  # fmt: skip
    """Return the value that belongs to each key of x; a default where x is no key. NaN is a key like any other.

    Raises:
        IsoformError: keys or values are strings.
    """
    if any(text is not None for text in (keys_strings, values_strings, classes_strings)):
        raise IsoformError(
            "LabelEncoder of strings: PyTorch has no strings.",
            "SavedModel and ONNX can carry it: --to savedmodel,onnx",
            kind="unsupported-operator",
        )
    keys = _table(keys_tensor, keys_int64s, keys_floats)
    values = _table(values_tensor, values_int64s, values_floats)
    usual = default_int64 if values_int64s is not None else default_float
    if values_tensor is not None and not values_tensor.is_floating_point():
        usual = -1
    default = default_tensor.reshape(()) if default_tensor is not None else torch.tensor(usual, dtype=values.dtype)
    is_key = x.unsqueeze(-1) == keys
    if x.is_floating_point():
        is_key = is_key | (torch.isnan(x).unsqueeze(-1) & torch.isnan(keys))
    place = is_key.to(torch.uint8).argmax(-1)  # the first of equals
    return torch.where(is_key.any(-1), values[place], default)


def _table(tensor: Tensor | None, integers: Sequence[int] | None, floats: Sequence[float] | None) -> Tensor:
    if tensor is not None:
        return tensor.reshape(-1)
    if integers is not None:
        return torch.tensor(integers, dtype=torch.int64)
    return torch.tensor(floats, dtype=torch.float32)


@op("TfIdfVectorizer")
def count_ngrams(
    x: Tensor, *, max_gram_length: int, max_skip_count: int, min_gram_length: int, mode: str,
    ngram_counts: Sequence[int], ngram_indexes: Sequence[int], pool_int64s: Sequence[int] | None = None,
    pool_strings: Sequence[str] | None = None, weights: Sequence[float] | None = None,
) -> Tensor:  # fmt: skip
    """Return how often each n-gram of a pool stands in a row, weighed: float32 [..., columns].

    The items of an n-gram may stand apart: up to ``max_skip_count`` others are between each two of them.

    Raises:
        IsoformError: the n-grams are of strings.
    """
    if pool_int64s is None:
        raise IsoformError(
            "TfIdfVectorizer over strings: PyTorch has no strings.",
            "SavedModel and ONNX can carry it: --to savedmodel,onnx",
            kind="unsupported-operator",
        )
    rows = x.reshape(1, -1) if x.dim() < 2 else x
    width, number = max(ngram_indexes) + 1, 0
    counts = torch.zeros([rows.shape[0], width], dtype=torch.float32, device=x.device)
    for size, (start, end) in enumerate(pairwise([*ngram_counts, len(pool_int64s)]), start=1):
        items = [tuple(pool_int64s[at : at + size]) for at in range(start, end, size)]
        # A gram that is listed twice counts for the column that it has last.
        places = {gram: ngram_indexes[number + index] for index, gram in enumerate(items)}
        number += len(items)
        if not places or not min_gram_length <= size <= max_gram_length:
            continue
        columns = torch.tensor(list(places.values()), device=x.device)
        for distance in range(1, 2 if size == 1 else max_skip_count + 2):
            counts = counts.index_add(1, columns, _occurrences(rows, torch.tensor(list(places)), distance))
    if mode == "IDF":
        counts = (counts > 0).to(torch.float32)
    counts = counts if mode == "TF" or not weights else counts * torch.tensor(weights)
    return counts[0] if x.dim() < 2 else counts


def _occurrences(rows: Tensor, grams: Tensor, distance: int) -> Tensor:
    """Return how often each gram [gram, item] stands in each row with its items ``distance`` apart: [row, gram]."""
    grams = grams.to(rows.device)
    span = distance * (grams.shape[1] - 1)
    is_here = torch.ones([], dtype=torch.bool, device=rows.device)
    for item in range(len(grams[0])):
        begin, beyond = item * distance, (len(grams[0]) - 1 - item) * distance
        part = rows[:, begin:-beyond] if beyond else rows[:, begin:]
        part = rows[:, :0] if rows.shape[1] <= span else part
        is_here = is_here & (part.unsqueeze(2) == grams[:, item])
    return is_here.sum(1).to(torch.float32)
