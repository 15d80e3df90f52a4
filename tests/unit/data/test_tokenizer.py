"""Words, vocabulary and tokenizer.json by hand; equality with Keras: integration/test_keras_tokenizer.py."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from isoform.core.signature import TensorSpec
from isoform.data.dataset import Subset
from isoform.data.tokenizer import MAX_LENGTH, encode, fit, pad, tokenizer_json, words

TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))
TEXTS = ("The cat, the DOG!", "a dog; a cat; the end.", "Ärger ärger naïve")


def test_only_ascii_letters_are_lowered_and_only_ascii_punctuation_goes() -> None:
    assert words("It's GOOD-ish… ÄRGER «x»") == ["its", "goodish…", "Ärger", "«x»"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc\vd\fe\rf", ["a", "b", "c", "d", "e", "f"]),
        ("a\u00a0b\u2003c\x1cd\x85e", ["a\u00a0b\u2003c\x1cd\x85e"]),
        ("  ", []),
        ("!?", []),
        ("a ! b", ["a", "b"]),
    ],
)
def test_words_end_at_ascii_white_space_alone(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_the_vocabulary_goes_by_frequency_then_by_descending_bytes() -> None:
    vocabulary = fit(TEXTS, 100)
    expected = ["", "[UNK]", "the", "dog", "cat", "a", "ärger", "Ärger", "naïve", "end"]
    assert list(vocabulary) == expected
    assert list(vocabulary.values()) == list(range(len(vocabulary)))


def test_the_vocabulary_size_counts_padding_and_the_unknown_word() -> None:
    assert list(fit(TEXTS, 4)) == ["", "[UNK]", "the", "dog"]


def test_a_tokenizer_pads_with_zero_and_knows_unknown_words(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_json(fit(TEXTS, 5)))
    encoded = Tokenizer.from_file(str(path)).encode_batch(["the cat", "DOG? the zebra cat"])
    assert [encoding.ids for encoding in encoded] == [[2, 4, 0, 0], [3, 2, 1, 4]]
    assert json.loads(path.read_bytes())["model"]["vocab"] == {"": 0, "[UNK]": 1, "the": 2, "dog": 3, "cat": 4}


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_the_file_and_the_function_split_alike(texts: list[str]) -> None:
    vocabulary = fit(texts, 10_000)
    tokenizer = Tokenizer.from_str(tokenizer_json(vocabulary).decode())
    for text in texts:
        assert tokenizer.encode(text).ids == [vocabulary[word] for word in words(text)]


def test_encoding_cuts_long_texts_and_pads_a_batch_to_its_longest(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_json(fit(TEXTS, 5)))
    split = encode(Subset(("the cat", "dog", "the " * 999, ""), np.array([1, 0, 1, 0])), TOKENS, path)
    inputs, labels = split.batch(np.array([1, 0]))
    assert inputs.tolist() == [[3, 0], [2, 4]]
    assert inputs.dtype == np.int64
    assert labels.tolist() == [0, 1]
    assert split.batch(np.array([2]))[0].shape == (1, MAX_LENGTH)
    assert split.batch(np.array([3]))[0].tolist() == [[0]]


def test_padding_keeps_the_dtype() -> None:
    assert pad([np.array([7], np.int32), np.array([8, 9], np.int32)]).dtype == np.int32
