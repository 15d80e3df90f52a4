"""Text to ids in a TensorFlow graph: exactly the ids of Keras' TextVectorization, whatever the strings."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.errors import IsoformError
from isoform.hub.text import Tokenizer

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

WORDS = ("film", "fine", "unk", "ärger", "1st", "dont")
ODD = st.text(
    alphabet=st.sampled_from("fFiIlLmMnN1eE'-_!?\\^]`~ \t\n\v\f\r\x00\x1f\x85\xa0ÄäßİI\u2009\u3000"), max_size=30
)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "tokenizer.json"
    words = {"": 0, "[UNK]": 1, **{word: index for index, word in enumerate(WORDS, start=2)}}
    path.write_text(json.dumps({"model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}}))
    return path


@pytest.fixture(scope="module")
def pair(vocabulary: Path) -> tuple[Tokenizer, keras.Layer]:
    return Tokenizer(vocabulary), keras.layers.TextVectorization(vocabulary=list(WORDS))


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.one_of(ODD, st.text(max_size=20), st.sampled_from(WORDS)), min_size=1, max_size=4))
def test_ids_are_those_of_text_vectorization(pair: tuple[Tokenizer, keras.Layer], texts: list[str]) -> None:
    tokenizer, layer = pair
    batch = tf.constant([text.encode("utf-8", "surrogatepass") for text in texts])
    np.testing.assert_array_equal(tokenizer(batch).numpy(), layer(batch).numpy())


def test_the_shorter_rows_are_padded_on_the_right(pair: tuple[Tokenizer, keras.Layer]) -> None:
    ids = pair[0](tf.constant(["A FINE film!", "", "nonsense"])).numpy()
    assert ids.tolist() == [[1, 3, 2], [0, 0, 0], [1, 0, 0]]
    assert ids.dtype == np.int64


def test_a_file_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "BPE", "vocab": []}}')
    with pytest.raises(IsoformError, match="no word-level vocabulary") as refused:
        Tokenizer(path)
    assert refused.value.hint == "Write the tokenizer again with 'isoform train'."
