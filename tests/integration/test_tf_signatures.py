"""``--signature``: one of several that a SavedModel serves, converted and proved as a user asks for it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf

import isoform
from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UsageError
from isoform.runtimes import tf as runtime

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SavedModel of two signatures with a weight each."""
    rng = np.random.default_rng(3)
    module = tf.Module()
    module.into = tf.Variable(rng.standard_normal((6, 20)).astype(np.float32), name="into")
    module.back = tf.Variable(rng.standard_normal((20, 6)).astype(np.float32), name="back")

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, "x")])
    def encode(x):
        return {"code": tf.tanh(x @ module.into)}

    @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32, "code")])
    def decode(code):
        return {"y": code @ module.back}

    path = tmp_path_factory.mktemp("served") / "model"
    tf.saved_model.save(module, str(path), {"encode": encode, "decode": decode})
    return path


def test_the_signature_asked_for_is_converted_and_its_own_weights_are_found(folder: Path, tmp_path: Path) -> None:
    [result] = isoform.convert(folder, ["onnx"], signature="decode", out=tmp_path)
    assert (result.status, result.verdict) == ("passed", "PASS"), result.error


def test_a_name_that_there_is_not_is_one_line_with_those_there_are(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match=r"no signature 'classify'\.$") as refused:
        isoform.convert(folder, ["onnx"], signature="classify", out=tmp_path)
    assert refused.value.hint == "Signatures there: decode, encode."


def test_a_format_without_signatures_refuses_the_word(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    nodes = [onnx.helper.make_node("Relu", ["x"], ["y"])]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", values[:1], values[1:])), path)
    with pytest.raises(UsageError, match=r"model.onnx: ONNX has no signatures to choose from\.$") as refused:
        isoform.convert(path, ["tflite"], signature="classify", out=tmp_path)
    assert refused.value.hint == "Leave out --signature."


def test_variables_of_other_signatures_are_unused_and_those_of_this_one_are_not(folder: Path) -> None:
    declared = Signature((TensorSpec("x", "float32", ("n", 6)),), (TensorSpec("code", "float32", ("n", 20)),))
    artifact = Artifact("savedmodel", folder, declared, entry="encode")
    assert [spec.name for spec in runtime.load(artifact, RunOptions()).signature.outputs] == ["code"]
    assert runtime.unused(artifact) == ["back"]
