"""Faults in SavedModel folders: each changes what the folder answers, and it still opens."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import savedmodel
from isoform.hub.faults import savedmodel as faults
from isoform.runtimes import tf as runtime

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore")]
SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 6, 6, 3)),),
    (TensorSpec("right", "float32", ("batch", 4)), TensorSpec("left", "float32", ("batch", 4))),
)
X = np.random.default_rng(0).normal(size=(3, 6, 6, 3)).astype(np.float32)


def network() -> keras.Model:
    """Return a network that has a place for every fault."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = keras.Input((6, 6, 3), name="x")
    hidden = layers.Conv2D(4, 3, padding="same", activation="relu", bias_initializer="random_normal")(x)
    hidden = layers.BatchNormalization(moving_variance_initializer=keras.initializers.Constant(0.01))(hidden)
    hidden = layers.Softmax()(layers.Activation("gelu")(hidden))
    left = layers.Dense(4, bias_initializer="random_normal")(layers.GlobalAveragePooling2D()(hidden))
    right = layers.LSTM(4)(layers.Reshape((6, 24))(hidden))
    return keras.Model(x, [right, left])


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("model") / "saved_model"
    model = network()
    weights = {variable.path: variable.value for variable in model.weights}
    savedmodel.save(lambda x: model(x, training=False), weights, SIGNATURE, folder, None)
    return Artifact("savedmodel", folder, SIGNATURE)


def answer(artifact: Artifact) -> dict[str, np.ndarray]:
    return runtime.load(artifact, RunOptions()).run({"x": X})


@pytest.mark.parametrize("name", sorted(faults.FAULTS))
def test_a_fault_says_what_it_did_and_makes_a_difference_in_the_file(
    artifact: Artifact, name: str, tmp_path: Path
) -> None:
    model = faults.opened(artifact)
    assert faults.FAULTS[name](model, np.random.default_rng(0))
    copy = Artifact("savedmodel", tmp_path / "copy", SIGNATURE)
    faults.save(model, copy.model)
    if name == "a frozen axis":
        with pytest.raises(Exception, match="compatible"):
            answer(copy)
        return
    before, after = answer(artifact), answer(copy)
    assert any(not np.array_equal(before[key], after[key]) for key in before)


def test_a_copy_without_a_fault_answers_alike(artifact: Artifact, tmp_path: Path) -> None:
    model = faults.opened(artifact)
    copy = Artifact("savedmodel", tmp_path / "copy", SIGNATURE)
    faults.save(model, copy.model)
    before, after = answer(artifact), answer(copy)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_a_folder_without_a_place_for_a_fault_says_so(tmp_path: Path) -> None:
    signature = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("y", "float32", (2,)),))
    savedmodel.save(lambda x: [keras.ops.sin(x)], {}, signature, tmp_path / "model", None)
    model = faults.opened(Artifact("savedmodel", tmp_path / "model", signature))
    found = {name: fault(model, np.random.default_rng(0)) for name, fault in faults.FAULTS.items()}
    assert found == dict.fromkeys(faults.FAULTS)


def test_a_fault_is_planted_in_what_the_signature_calls_and_in_no_other(tmp_path: Path) -> None:
    module = tf.Module()
    spec = [tf.TensorSpec([None], tf.float32, "x")]
    one = tf.function(lambda x: {"y": 2 * tf.nn.relu(x)}, input_signature=spec)
    other = tf.function(lambda x: {"y": 3 * tf.nn.relu(x)}, input_signature=spec)
    signatures = {"serving_default": one.get_concrete_function(), "other": other.get_concrete_function()}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signatures)
    signature = Signature((TensorSpec("x", "float32", ("n",)),), (TensorSpec("y", "float32", ("n",)),))
    x = np.array([-1, 1], np.float32)
    for seed in range(6):
        model = faults.opened(Artifact("savedmodel", tmp_path / "model", signature))
        assert faults.FAULTS["a leaking relu"](model, np.random.default_rng(seed))
        copy = Artifact("savedmodel", tmp_path / f"copy{seed}", signature)
        faults.save(model, copy.model)
        assert runtime.load(copy, RunOptions()).run({"x": x})["y"] == pytest.approx([-0.02, 2])
