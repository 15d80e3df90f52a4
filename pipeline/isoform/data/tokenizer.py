"""Text to ids, as one tokenizer.json that says exactly what Keras' TextVectorization computes.

That layer, with its standard settings, lowers ASCII letters only, removes ASCII punctuation, splits on ASCII
white space and looks words up in a vocabulary: id 0 is padding, 1 is an unknown word, then words by frequency, words
of equal frequency in descending order of their bytes. The Lowercase normalizer and the Whitespace pre-tokenizer of the
tokenizers package follow Unicode, so the same is spelled out with Replace and Split.

The vocabulary is read back from ``["model"]["vocab"]``.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.signature import TensorSpec
from isoform.data.dataset import Array, Split, Subset
from isoform.errors import MissingDependency

PADDING = ""
UNKNOWN = "[UNK]"
MAX_LENGTH = 256
"""Words of one text that training looks at; the model itself takes any number."""

_WHITE_SPACE = " \t\n\v\f\r"
_STANDARDISE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, string.punctuation)


def words(text: str) -> list[str]:
    """Return the words of ``text`` as TextVectorization sees them."""
    return [word for word in re.split(f"[{_WHITE_SPACE}]+", text.translate(_STANDARDISE)) if word]


def fit(texts: Iterable[str], vocabulary_size: int) -> dict[str, int]:
    """Return word to id for the most frequent words of ``texts``, padding and the unknown word included."""
    counts = Counter(word for text in texts for word in words(text))
    ranked = sorted(counts, key=lambda word: (counts[word], word.encode()), reverse=True)
    return {word: index for index, word in enumerate([PADDING, UNKNOWN, *ranked[: vocabulary_size - 2]])}


def tokenizer_json(vocabulary: dict[str, int]) -> bytes:
    """Return the tokenizer.json (Hugging Face tokenizers) of a vocabulary that `fit` returned."""
    lower = [_replace({"String": letter}, letter.lower()) for letter in string.ascii_uppercase]
    without_punctuation = _replace({"Regex": f"[{re.escape(string.punctuation)}]"}, "")
    document: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": {
            "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": vocabulary[PADDING], "pad_type_id": 0, "pad_token": PADDING,
        },
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [*lower, without_punctuation]},
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": f"[{_WHITE_SPACE}]+"}, "behavior": "Removed", "invert": False,
        },
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
    }  # fmt: skip
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def encode(subset: Subset, spec: TensorSpec, tokenizer: Path) -> Split:
    """Return texts as a split of ids, each batch padded at the end to its longest text.

    Raises:
        MissingDependency: the package tokenizers is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise MissingDependency.of("tokenizers", "Turning texts into ids", "train") from None
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    encodings = encoder.encode_batch(list(subset.samples))
    ids = [np.array(encoding.ids[:MAX_LENGTH], spec.dtype) for encoding in encodings]
    return Split(ids, subset.labels, pad)


def pad(rows: Sequence[Array]) -> Array:
    """Return rows of ids as one array [row, length], zeros after the end of the shorter ones."""
    padded = np.zeros((len(rows), max(1, *(len(row) for row in rows))), rows[0].dtype)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}
