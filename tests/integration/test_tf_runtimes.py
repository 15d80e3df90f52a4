"""TensorFlow's two runtimes keep what a runtime promises; so does what is bound to them."""

from pathlib import Path

import keras
import pytest

from isoform.converters import keras_to_savedmodel
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.runtimes import keras_eager
from isoform.runtimes import tf as tf_runtime
from isoform.testing.contracts import RuntimeContract

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

SIGNATURE = Signature((TensorSpec.parse("x:float32[batch,3]"),), (TensorSpec.parse("y:float32[batch,4]"),))


def source(folder: Path) -> Artifact:
    x = keras.Input((3,), name="x")
    keras.Model(x, keras.layers.Dense(4, activation="tanh", name="y")(x)).save(folder / "model.keras")
    return Artifact("keras", folder / "model.keras", SIGNATURE)


class TestKeras(RuntimeContract):
    module = keras_eager

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return source(tmp_path)


class TestSavedModel(RuntimeContract):
    module = tf_runtime

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        keras_to_savedmodel.convert(source(tmp_path), tmp_path / "model", ConvertOptions())
        return Artifact("savedmodel", tmp_path / "model", SIGNATURE)
