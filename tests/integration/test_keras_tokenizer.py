"""tokenizer.json against Keras' TextVectorization: the same vocabulary, the same ids, on any text."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from isoform.data import reviews
from isoform.data.tokenizer import fit, tokenizer_json

pytestmark = [pytest.mark.tensorflow]

AWKWARD = " \t\n\v\f\r!\"'#-_[]{}\\^`~.,;:\u00a0\u2003\u2028\x1c\x85\u200bÄäßİıΣςéE\u0301AaZz09你好😀\ufeff\x00"
texts = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters(exclude_categories=["Cs"])), max_size=60)


def vectorization(**options: Any) -> Any:
    return keras.layers.TextVectorization(max_tokens=10_000, output_mode="int", **options)


def ids(tokenizer: Tokenizer, batch: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(batch)]


def keras_ids(layer: Any, batch: list[str]) -> list[list[int]]:
    return np.asarray(layer(batch)).tolist()


@pytest.fixture(scope="module")
def on_reviews() -> tuple[Any, Tokenizer]:
    samples = [str(text) for text in reviews.read().train.samples]
    layer = vectorization()
    layer.adapt(samples)
    return layer, Tokenizer.from_str(tokenizer_json(fit(samples, 10_000)).decode())


def test_the_vocabulary_of_the_reviews_is_the_one_that_keras_adapts(on_reviews: tuple[Any, Tokenizer]) -> None:
    samples = [str(text) for text in reviews.read().train.samples]
    assert list(fit(samples, 10_000)) == on_reviews[0].get_vocabulary()


def test_the_test_reviews_get_the_same_ids_padding_included(on_reviews: tuple[Any, Tokenizer]) -> None:
    layer, tokenizer = on_reviews
    samples = [str(text) for text in reviews.read().test.samples]
    assert ids(tokenizer, samples) == keras_ids(layer, samples)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_any_text_gets_the_same_ids(on_reviews: tuple[Any, Tokenizer], batch: list[str]) -> None:
    layer, tokenizer = on_reviews
    sentence = "The plot, it WASN'T dull! " + batch[0]
    batch = [sentence, *batch]
    assert ids(tokenizer, batch) == keras_ids(layer, batch)


@settings(max_examples=40, deadline=None)
@example(["a\x00 a b\x00\x00"], 12)
@given(st.lists(texts, min_size=1, max_size=6), st.integers(3, 12))
def test_any_texts_give_the_same_vocabulary_ties_included(batch: list[str], size: int) -> None:
    samples = ["some words", *batch]
    layer = keras.layers.TextVectorization(max_tokens=size, output_mode="int")
    layer.adapt(samples)
    vocabulary = fit(samples, size)
    # The layer is asked for ids: get_vocabulary() lists words through a numpy string array and loses trailing NULs.
    assert layer.vocabulary_size() == len(vocabulary)
    learned = list(vocabulary)[2:]
    assert keras_ids(layer, learned) == [[vocabulary[word]] for word in learned]
    assert [word.rstrip("\0") for word in vocabulary] == layer.get_vocabulary()


def test_unicode_case_spaces_and_punctuation_stay_as_keras_leaves_them(tmp_path: Path) -> None:
    samples = ["ÄRGER ärger", "a\u00a0b c\u2003d", "«quoted» “so” it's well-known", "İstanbul ΣΑΣ", "x\x00y"]
    layer = vectorization()
    layer.adapt(samples)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_json(fit(samples, 10_000)))
    assert ids(Tokenizer.from_file(str(path)), samples) == keras_ids(layer, samples)
