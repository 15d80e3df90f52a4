"""From Keras to ONNX and SavedModel: the same numbers as the network itself, under the names of the signature."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from keras import layers

from isoform.converters import keras_to_onnx, keras_to_savedmodel, onnx_to_savedmodel
from isoform.core.artifact import Artifact
from isoform.core.matching import match
from isoform.core.protocols import ConvertOptions, Perturbation, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UnsupportedOperator
from isoform.runtimes import keras_eager
from isoform.runtimes import tf as tf_runtime

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

IMAGE, SEQUENCE, TOKENS = "image:float32[batch,12,10,3]", "x:float32[batch,length,5]", "tokens:int64[batch,length]"


def convolutional() -> keras.Model:
    image = keras.Input((12, 10, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", strides=2)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D(2)(layers.DepthwiseConv2D(3, padding="same")(x))
    return keras.Model(image, layers.Dense(3, activation="softmax", name="y")(layers.Dropout(0.5)(layers.Flatten()(x))))


def transformer() -> keras.Model:
    x = keras.Input((None, 5), name="x")
    attended = layers.MultiHeadAttention(2, 4)(layers.LayerNormalization()(x), x)
    hidden = layers.Dense(8, activation="gelu")(layers.Add()([x, attended]))
    return keras.Model(x, layers.GlobalAveragePooling1D(name="y")(hidden))


def scaled() -> keras.Model:
    x = keras.Input((None, 5), name="x")
    normal = layers.Normalization(mean=np.arange(5.0), variance=np.arange(1.0, 6.0))(x)
    return keras.Model(x, layers.Conv1D(3, 3, padding="causal", dilation_rate=2, name="y")(normal))


def over_tokens(recurrent: Callable[[], keras.Layer]) -> keras.Model:
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    states = recurrent()(layers.Embedding(20, 6)(tokens))
    return keras.Model(tokens, layers.Dense(2, activation="sigmoid", name="y")(states))


def lstm() -> keras.Model:
    return over_tokens(lambda: layers.LSTM(4))


def gru() -> keras.Model:
    return over_tokens(lambda: layers.GRU(4))


def bidirectional() -> keras.Model:
    return over_tokens(lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True)))


NETWORKS = [
    (convolutional, IMAGE, "y:float32[batch,3]"),
    (transformer, SEQUENCE, "y:float32[batch,8]"),
    (scaled, SEQUENCE, "y:float32[batch,length,3]"),
    (lstm, TOKENS, "y:float32[batch,2]"),
    (gru, TOKENS, "y:float32[batch,2]"),
    (bidirectional, TOKENS, "y:float32[batch,length,2]"),
]


def signature(inputs: str, outputs: str) -> Signature:
    return Signature((TensorSpec.parse(inputs),), (TensorSpec.parse(outputs),))


def saved(model: keras.Model, folder: Path, declared: Signature) -> Artifact:
    """Return ``model`` on disk; its biases and scales are random, since zeros and ones hide faults."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save(folder / "model.keras")
    return Artifact("keras", folder / "model.keras", declared)


def drawn(spec: TensorSpec, batch: int, length: int) -> np.ndarray:
    rng = np.random.default_rng(batch * 100 + length)
    shape = spec.sizes({"batch": batch, "length": length})
    return rng.integers(0, 20, shape) if spec.dtype == "int64" else rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("build", "inputs", "outputs"), NETWORKS, ids=[build.__name__ for build, *_ in NETWORKS])
def test_every_export_computes_what_keras_computes(build, inputs: str, outputs: str, tmp_path: Path) -> None:
    declared = signature(inputs, outputs)
    source = saved(build(), tmp_path, declared)
    keras_to_onnx.convert(source, tmp_path / "model.onnx", ConvertOptions())
    keras_to_savedmodel.convert(source, tmp_path / "direct", ConvertOptions())
    onnx_to_savedmodel.convert(Artifact("onnx", tmp_path / "model.onnx", declared), tmp_path / "hub", ConvertOptions())
    session = ort.InferenceSession(str(tmp_path / "model.onnx"))
    folders = [Artifact("savedmodel", tmp_path / name, declared) for name in ("direct", "hub")]
    direct, through_hub = (tf_runtime.load(folder, RunOptions()) for folder in folders)
    reference = keras_eager.load(source, RunOptions())
    assert direct.signature == through_hub.signature == declared
    assert [value.name for value in session.get_inputs()] == [declared.inputs[0].name]
    for batch, length in ((1, 9), (3, 4)):
        given = {declared.inputs[0].name: drawn(declared.inputs[0], batch, length)}
        wanted = reference.run(given)["y"]
        np.testing.assert_allclose(direct.run(given)["y"], wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(session.run(["y"], given)[0], wanted, rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(through_hub.run(given)["y"], wanted, rtol=1e-4, atol=2e-6)
    weights = keras_eager.weights(source)
    for folder in folders:
        assert {found.how for found in match(weights, tf_runtime.weights(folder))} <= {"exact", "gates"}


def test_an_lstm_is_one_operator_and_a_batch_norm_too(tmp_path: Path) -> None:
    for build, inputs, outputs, wanted in (
        (lstm, TOKENS, "y:float32[batch,2]", ["Gather", "LSTM"]),
        (convolutional, IMAGE, "y:float32[batch,3]", ["BatchNormalization"]),
    ):
        folder = tmp_path / build.__name__
        folder.mkdir()
        keras_to_onnx.convert(
            saved(build(), folder, signature(inputs, outputs)), folder / "model.onnx", ConvertOptions()
        )
        graph = onnx.load(folder / "model.onnx").graph
        operators = [node.op_type for node in graph.node]
        assert set(wanted) <= set(operators)
        assert not {"Loop", "Where", "Less", "Sqrt", "Shape"} & set(operators)


def test_a_fixed_axis_that_is_declared_dynamic_is_an_error_of_its_own(tmp_path: Path) -> None:
    x = keras.Input((4, 5), name="x")
    declared = signature(SEQUENCE, "y:float32[batch,length,2]")
    source = saved(keras.Model(x, layers.Dense(2, name="y")(x)), tmp_path, declared)
    with pytest.raises(IsoformError) as refused:
        keras_to_onnx.convert(source, tmp_path / "model.onnx", ConvertOptions())
    assert refused.value.kind == "frozen-axis"
    assert not (tmp_path / "model.onnx").exists()


def test_an_operator_without_onnx_form_is_named(tmp_path: Path) -> None:
    x = keras.Input((5, 5), name="x")
    declared = signature("x:float32[batch,5,5]", "y:float32[batch,5,5]")
    source = saved(keras.Model(x, keras.ops.cholesky(x)), tmp_path, declared)
    with pytest.raises(UnsupportedOperator, match="'Cholesky'"):
        keras_to_onnx.convert(source, tmp_path / "model.onnx", ConvertOptions())


def test_float64_and_disturbed_weights_are_as_far_off_as_rounding(tmp_path: Path) -> None:
    declared = signature(IMAGE, "y:float32[batch,3]")
    source = saved(convolutional(), tmp_path, declared)
    given = {"image": drawn(declared.inputs[0], 2, 0)}
    single = keras_eager.load(source, RunOptions()).run(given)["y"]
    double = keras_eager.load(source, RunOptions(is_float64=True)).run(given)["y"]
    first, same, other = (
        keras_eager.load(source, RunOptions(is_float64=True, perturbation=Perturbation(seed, 2**-24))).run(given)["y"]
        for seed in (1, 1, 2)
    )
    assert double.dtype == np.float64
    assert 0 < np.abs(single - double).max() < 1e-5
    assert 0 < np.abs(first - double).max() < 1e-5
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(IsoformError, match="truncated or damaged"):
        keras_eager.load(Artifact("keras", path, signature(SEQUENCE, "y:float32[batch,2]")), RunOptions())


def test_code_in_a_file_is_refused(tmp_path: Path) -> None:
    x = keras.Input((5,), name="x")
    source = saved(
        keras.Model(x, layers.Lambda(lambda y: y + 1)(x)),
        tmp_path,
        signature("x:float32[batch,5]", "y:float32[batch,5]"),
    )
    with pytest.raises(IsoformError, match="Keras does not open it in safe mode .*Lambda"):
        keras_eager.load(source, RunOptions())


def test_a_layer_and_an_operator_of_one_name_keep_apart_in_float64(tmp_path: Path) -> None:
    """MobileNetV3 adds 3.0 to tensors and adds tensors to each other: both are called Add."""
    x = keras.Input((4,), name="x")
    y = keras.layers.Add()([x + 3.0, keras.layers.Dense(4)(x)])
    declared = signature("x:float32[batch,4]", "y:float32[batch,4]")
    source = saved(keras.Model(x, y), tmp_path, declared)
    given = {"x": drawn(declared.inputs[0], 2, 0)}
    single = keras_eager.load(source, RunOptions()).run(given)["y"]
    double = keras_eager.load(source, RunOptions(is_float64=True)).run(given)["y"]
    np.testing.assert_allclose(single, double, rtol=1e-5)
