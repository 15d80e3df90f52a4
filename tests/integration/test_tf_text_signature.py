"""A SavedModel with a vocabulary takes strings: the same ids as Keras' own layer, the same answers."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from isoform.converters import keras_to_savedmodel
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.data.tokenizer import fit, tokenizer_json

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

TEXTS = ("A fine film, a fine cast!", "Dull; not fine.", "not dull at all")
ODD = ("", "   ", "FINE\tfilm\nÄRGER", "unknown words only", "a,b", "fine" * 3)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes(tokenizer_json(fit(TEXTS, 50)))
    inputs = keras.Input((None,), dtype="int64", name="tokens")
    hidden = keras.layers.LSTM(4)(keras.layers.Embedding(50, 6)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="probability")(hidden))
    model.save(folder / "model.keras")
    signature = Signature(
        (TensorSpec.parse("tokens:int64[batch,length]"),), (TensorSpec.parse("probability:float32[batch,1]"),)
    )
    source = Artifact("keras", folder / "model.keras", signature, tokenizer=tokenizer)
    keras_to_savedmodel.convert(source, folder / "saved_model", ConvertOptions())
    return folder


def test_strings_give_what_their_ids_give(exported: Path) -> None:
    layer = keras.layers.TextVectorization(max_tokens=50)
    layer.adapt(list(TEXTS))
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    texts = tf.constant([*TEXTS, *ODD])
    ids = tf.cast(layer(texts), tf.int64)
    by_text = loaded.signatures["serve_text"](text=texts)["probability"]
    by_ids = loaded.signatures["serving_default"](tokens=ids)["probability"]
    np.testing.assert_array_equal(by_text.numpy(), by_ids.numpy())


def test_batch_and_length_are_dynamic(exported: Path) -> None:
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    (spec,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, None]
    assert spec.name == "tokens"
