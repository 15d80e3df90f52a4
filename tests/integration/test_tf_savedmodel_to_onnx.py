"""SavedModel folders and tf.functions as ONNX: any signature, the same numbers, what has no form refused by name."""

from pathlib import Path

import keras
import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers

from isoform import hub
from isoform.converters import savedmodel_to_onnx
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UnsupportedOperator

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
ROWS = tf.TensorSpec([None, 4], tf.float32, "x")


class Module(tf.Module):
    """A module of several signatures."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(np.random.default_rng(1).standard_normal((4, 2)).astype(np.float32), name="weight")
        self.count = tf.Variable(0.0, name="count")
        self.rows = tf.Variable(np.arange(20, dtype=np.float32).reshape(5, 4), name="rows")

    @tf.function(input_signature=[ROWS])
    def product(self, x):
        return {"z": x @ self.weight, "a": tf.reduce_sum(x, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "ids")])
    def gathered(self, ids):
        return {"y": tf.gather(self.rows, ids)}

    @tf.function(input_signature=[ROWS])
    def looped(self, x):
        for _ in tf.range(3):
            x = tf.tanh(x @ self.weight) @ tf.transpose(self.weight)
        return {"y": x}

    @tf.function(input_signature=[ROWS])
    def branched(self, x):
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x @ self.weight, lambda: -x @ self.weight)}

    @tf.function(input_signature=[ROWS])
    def counting(self, x):
        self.count.assign_add(1)
        return {"y": x + self.count}

    @tf.function(input_signature=[ROWS])
    def random(self, x):
        return {"y": x + tf.random.normal(tf.shape(x))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def text(self, text):
        return {"y": tf.strings.length(text)}

    @tf.function(input_signature=[ROWS], jit_compile=True)
    def compiled(self, x):
        return {"y": x @ self.weight + 1}


NAMES = ("product", "gathered", "looped", "branched", "counting", "random", "text", "compiled")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model"
    module = Module()
    tf.saved_model.save(module, str(path), {name: getattr(module, name) for name in NAMES})
    return path


def run(graph: ir.Model, folder: Path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    ir.save(graph, folder / "model.onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def answer(folder: Path, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    served = tf.saved_model.load(str(folder)).signatures[name]
    return {key: tensor.numpy() for key, tensor in served(**{key: tf.constant(a) for key, a in inputs.items()}).items()}


@pytest.mark.parametrize("name", ["product", "looped", "branched", "compiled"])
def test_every_signature_computes_the_same(name: str, folder: Path, tmp_path: Path) -> None:
    graph = hub.from_saved_model(folder, name)
    for x in (X, -X[:1], X - 1):
        wanted = answer(folder, name, x=x)
        found = run(graph, tmp_path, x=x)
        assert list(found) == sorted(wanted)
        for key, array in wanted.items():
            np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-6)


def test_a_gather_from_a_variable_reads_the_variable(folder: Path, tmp_path: Path) -> None:
    graph = hub.from_saved_model(folder, "gathered")
    assert next(iter(graph.graph.initializers)) == "rows"
    ids = np.array([4, 0, 2])
    np.testing.assert_array_equal(run(graph, tmp_path, ids=ids)["y"], np.arange(20.0).reshape(5, 4)[ids])


def test_a_folder_of_several_signatures_wants_a_name(folder: Path) -> None:
    with pytest.raises(IsoformError, match="no signature 'serving_default'") as refused:
        hub.from_saved_model(folder)
    assert refused.value.hint == f"Signatures there: {', '.join(sorted(NAMES))}."


def test_what_keeps_state_is_refused_with_the_name_of_the_variable(folder: Path) -> None:
    with pytest.raises(IsoformError, match="changes the variable 'count'") as refused:
        hub.from_saved_model(folder, "counting")
    assert refused.value.kind == "stateful"


def test_random_numbers_are_refused(folder: Path) -> None:
    with pytest.raises(IsoformError, match="draws random numbers") as refused:
        hub.from_saved_model(folder, "random")
    assert refused.value.kind == "random"


def test_text_is_refused_by_the_name_of_the_input(folder: Path) -> None:
    with pytest.raises(IsoformError, match="'text' is of dtype string"):
        hub.from_saved_model(folder, "text")


def test_a_lookup_table_is_refused_by_its_operator() -> None:
    keys = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2], tf.int64), tf.constant([3.0, 4.0]))
    table = tf.lookup.StaticHashTable(keys, 0.0)
    function = tf.function(table.lookup, input_signature=[tf.TensorSpec([None], tf.int64, "ids")])
    with pytest.raises(UnsupportedOperator, match="'LookupTableFindV2'"):
        hub.from_function(function)


def test_a_function_has_the_names_of_its_parameters(tmp_path: Path) -> None:
    weight = tf.Variable(tf.ones([4, 2]), name="w")
    function = tf.function(
        lambda x, scale: (x @ weight * scale, x), input_signature=[ROWS, tf.TensorSpec([], tf.float32)]
    )
    graph = hub.from_function(function)
    assert [value.name for value in graph.graph.inputs] == ["x", "scale"]
    found = run(graph, tmp_path, x=X, scale=np.array(2, np.float32))
    np.testing.assert_allclose(found["output_0"], X.sum(1, keepdims=True).repeat(2, 1) * 2, rtol=1e-5)
    np.testing.assert_array_equal(found["output_1"], X)


def test_a_function_without_a_signature_is_refused() -> None:
    with pytest.raises(IsoformError, match="does not say what it is called with"):
        hub.from_function(tf.function(lambda x: x))


def test_a_folder_of_tensorflow_1_keeps_its_variables(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], "x")
        old = tf.compat.v1.get_variable("old", [4, 3], use_resource=False)
        new = tf.compat.v1.get_variable("new", [3], use_resource=True)
        session.run(tf.compat.v1.global_variables_initializer())
        kernel, bias = session.run([old, new])
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "saved"), {"x": x}, {"y": tf.nn.relu(tf.matmul(x, old) + new)}
        )
    graph = hub.from_saved_model(tmp_path / "saved")
    assert {"old", "new"} <= set(graph.graph.initializers)
    np.testing.assert_allclose(run(graph, tmp_path, x=X)["y"], np.maximum(X @ kernel + bias, 0), rtol=1e-5, atol=1e-6)


def test_what_keras_exports_is_converted_in_the_order_of_the_record(tmp_path: Path) -> None:
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    states = layers.Bidirectional(layers.GRU(4, return_sequences=True))(layers.Embedding(20, 6)(tokens))
    model = keras.Model(tokens, {"z": layers.Dense(2)(layers.LSTM(3)(states)), "a": states})
    model.export(tmp_path / "saved", verbose=False)
    declared = Signature(
        (TensorSpec("tokens", "int64", ("batch", "length"), high=20),),
        (TensorSpec("z", "float32", ("batch", 2)), TensorSpec("a", "float32", ("batch", "length", 8))),
    )
    target = tmp_path / "model.onnx"
    savedmodel_to_onnx.convert(Artifact("savedmodel", tmp_path / "saved", declared), target, ConvertOptions())
    session = onnxruntime.InferenceSession(str(target))
    assert [value.name for value in session.get_outputs()] == ["z", "a"]
    assert {node.op_type for node in ir.load(target).graph} >= {"GRU", "LSTM"}
    ids = np.random.default_rng(0).integers(0, 20, (3, 7))
    wanted = model(ids)
    for name, found in zip("za", session.run(None, {"tokens": ids}), strict=True):
        np.testing.assert_allclose(found, wanted[name], rtol=1e-4, atol=1e-6)
