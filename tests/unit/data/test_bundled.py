"""The data that needs no download: the digits, the generated reviews, and their batches."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import data
from isoform.core.signature import TensorSpec
from isoform.data import reviews
from isoform.data.tokenizer import words
from isoform.errors import MissingDependency, UsageError

FLAT = TensorSpec("image", "float32", ("batch", 784))
TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))


def test_the_digits_are_all_there_each_once() -> None:
    from sklearn.datasets import load_digits

    raw = data.read("digits", FLAT)
    assert (len(raw.train.samples), len(raw.test.samples)) == (1437, 360)
    ours = np.concatenate([np.asarray(raw.train.samples), np.asarray(raw.test.samples)])[..., 0]
    theirs = load_digits().images.astype(np.uint8)
    assert sorted(image.tobytes() for image in ours) == sorted(image.tobytes() for image in theirs)
    assert set(raw.test.labels.tolist()) == set(range(10))


def test_batches_cover_a_split_in_the_order_given_and_hold_values_from_zero_to_one() -> None:
    test = data.prepare(data.read("digits", FLAT), FLAT).test
    order = np.arange(len(test))[::-1]
    batches = list(test.batches(100, order))
    assert [len(labels) for _, labels in batches] == [100, 100, 100, 60]
    assert np.concatenate([labels for _, labels in batches]).tolist() == test.labels[::-1].tolist()
    assert min(inputs.min() for inputs, _ in batches) == 0.0
    assert max(inputs.max() for inputs, _ in batches) == 1.0


def test_the_reviews_are_the_same_each_time_balanced_and_distinct() -> None:
    first, second = reviews.read(), reviews.read()
    assert first.train.samples == second.train.samples
    texts = (*first.train.samples, *first.test.samples)
    assert len(texts) == len(set(texts)) == 5500
    labels = np.concatenate([first.train.labels, first.test.labels])
    assert labels.sum() * 2 == len(labels)
    assert first.is_generated
    assert "Generated" in first.description


def test_no_slot_stays_unfilled_and_every_word_list_is_used() -> None:
    raw = reviews.read()
    assert not any("{" in text or "}" in text for text in raw.train.samples)
    seen = {word for text in raw.train.samples for word in words(str(text))}
    known = {word for fillers in reviews.Grammar().words.values() for filler in fillers for word in words(filler)}
    assert len(known - seen) < 10
    assert 700 < len(seen) < 5000


def test_counting_opinion_words_alone_does_not_decide_a_review() -> None:
    raw = reviews.read()
    grammar = reviews.Grammar()
    good, bad = ({*grammar.words[kind]} for kind in ("good", "bad"))
    guesses = [
        sum((word in good) - (word in bad) for word in words(str(text))) > 0 for text in raw.test.samples
    ]  # fmt: skip
    assert np.mean(np.array(guesses) == raw.test.labels.astype(bool)) < 0.9


def test_a_negated_opposite_keeps_the_label() -> None:
    raw = reviews.read()
    for text, label in zip(raw.train.samples, raw.train.labels, strict=True):
        if "Nobody would call" in text:
            last = words(text.split("Nobody would call", 1)[1].split(".")[0])[-1]
            assert (last in reviews.Grammar().words["bad"]) == bool(label)
            return
    pytest.fail("no review with this pattern")


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        data.read("faces", FLAT)
    assert (caught.value.what, caught.value.hint) == ("There is no data set 'faces'.", "One of: digits, reviews.")


def test_texts_without_a_tokenizer_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        data.prepare(reviews.read(), TOKENS, None)
    assert caught.value.what == "'tokens' wants numbers and 'reviews' holds texts."
    assert caught.value.hint == "Add a [tokenizer] section to isoform.toml."


@pytest.mark.parametrize(
    ("module", "use", "message"),
    [
        (
            "sklearn",
            lambda _: data.read("digits", FLAT),
            "The data set 'digits' needs the package 'scikit-learn', which is not installed.",
        ),
        (
            "tokenizers",
            lambda path: data.prepare(reviews.read(), TOKENS, path),
            "Turning texts into ids needs the package 'tokenizers', which is not installed.",
        ),
    ],
)
def test_a_missing_package_is_named(
    module: str, use: Callable[[Path], object], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(name=name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency) as caught:
        use(tmp_path)
    assert caught.value.what == message
    assert caught.value.hint == "pip install 'isoform[train]'"
