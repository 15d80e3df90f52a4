"""The SavedModel runtime: the signature as the folder has it, its weights by name, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import savedmodel
from isoform.runtimes import tf as runtime

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

DECLARED = Signature(
    (TensorSpec.parse("x:float32[batch,2]"),),
    (TensorSpec.parse("z:float32[batch,2]"), TensorSpec.parse("a.b:float32[batch,2]")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SavedModel of ``z = x w`` and ``a.b = -x``: outputs in an order that sorting would turn round."""
    target = tmp_path_factory.mktemp("runtime") / "model"
    weight = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    savedmodel.save(lambda x: [x @ weight, -x], {"dense.1/kernel": weight}, DECLARED, target, None)
    return target


def test_outputs_come_in_declared_order_although_the_folder_sorts_them(folder: Path) -> None:
    session = runtime.load(Artifact("savedmodel", folder, DECLARED), RunOptions())
    assert session.signature == DECLARED
    outputs = session.run({"x": np.array([[1.0, 1.0]], np.float32)})
    assert list(outputs) == ["z", "a.b"]
    assert outputs["z"].tolist() == [[4.0, 6.0]]
    assert [name.decode() for name in tf.saved_model.load(str(folder)).output_names().numpy()] == ["z", "a.b"]


def test_names_that_are_missing_or_extra_show_in_the_signature(folder: Path) -> None:
    wanted = Signature(DECLARED.inputs, (TensorSpec.parse("other:float32[batch,2]"), DECLARED.outputs[0]))
    found = runtime.load(Artifact("savedmodel", folder, wanted), RunOptions()).signature
    assert [spec.name for spec in found.outputs] == ["z", "a.b"]


def test_weights_bear_the_names_they_were_saved_with(folder: Path) -> None:
    found = runtime.weights(Artifact("savedmodel", folder, DECLARED))
    assert {name: value.tolist() for name, value in found.items()} == {"dense.1/kernel": [[1.0, 2.0], [3.0, 4.0]]}


def test_a_folder_that_is_no_savedmodel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="TensorFlow does not open it"):
        runtime.load(Artifact("savedmodel", tmp_path, DECLARED), RunOptions())


def test_a_savedmodel_of_several_signatures_says_which_it_has(tmp_path: Path) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    functions = {name: module.f.get_concrete_function() for name in ("first", "second")}
    tf.saved_model.save(module, str(tmp_path / "model"), functions)
    with pytest.raises(IsoformError, match="no signature 'serving_default'") as refused:
        runtime.load(Artifact("savedmodel", tmp_path / "model", DECLARED), RunOptions())
    assert refused.value.hint == "Signatures there: first, second."


def test_the_only_signature_of_a_savedmodel_is_taken_whatever_its_name(tmp_path: Path) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x + 1}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "model"), {"other": module.f.get_concrete_function()})
    declared = Signature((TensorSpec("x", "float32", ("n",)),), (TensorSpec("y", "float32", ("n",)),))
    session = runtime.load(Artifact("savedmodel", tmp_path / "model", declared), RunOptions())
    np.testing.assert_array_equal(session.run({"x": np.float32([1, 2])})["y"], [2, 3])


def test_a_thread_count_cannot_change_once_tensorflow_runs(folder: Path) -> None:
    tf.constant(1.0)
    with pytest.raises(IsoformError) as refused:
        runtime.load(Artifact("savedmodel", folder, DECLARED), RunOptions(threads=13))
    assert refused.value.kind == "threads"
