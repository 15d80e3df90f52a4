"""Text to token ids inside a TensorFlow graph, from the vocabulary of a tokenizer.json.

The steps are those of Keras' TextVectorization with its standard settings: lower ASCII letters, remove ASCII
punctuation, split on ASCII white space, look each word up; id 0 pads on the right, id 1 is an unknown word. Not aware
of models.
"""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from isoform.errors import IsoformError

PADDING_ID, UNKNOWN_ID = 0, 1
_PUNCTUATION = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""


class Tokenizer(tf.Module):
    """A vocabulary in a lookup table; called with text [batch], it returns ids [batch, longest]."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="tokenizer")
        words, ids = _vocabulary(path)
        entries = tf.lookup.KeyValueTensorInitializer(words, ids, tf.string, tf.int64)
        self.table = tf.lookup.StaticHashTable(entries, UNKNOWN_ID)

    def __call__(self, text: Any) -> Any:
        """Return int64 ids, padded with 0 at the end of the shorter rows."""
        plain = tf.strings.regex_replace(tf.strings.lower(text), _PUNCTUATION, "")
        words = tf.strings.split(plain)  # a ragged tensor [batch, words]
        return words.with_flat_values(self.table.lookup(words.flat_values)).to_tensor(PADDING_ID)


def _vocabulary(path: Path) -> tuple[list[str], list[int]]:
    """Return the words and their ids, the padding and the unknown word left out: no text contains them.

    Raises:
        IsoformError: the file holds no vocabulary of this form.
    """
    try:
        entries = json.loads(path.read_bytes())["model"]["vocab"]
        special = {word for word, index in entries.items() if index in (PADDING_ID, UNKNOWN_ID)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IsoformError(
            f"{path}: no word-level vocabulary ({type(error).__name__}: {error}).",
            "Write the tokenizer again with 'isoform train'.",
            kind="tokenizer",
        ) from error
    words = [word for word in entries if word not in special]
    return words, [entries[word] for word in words]
