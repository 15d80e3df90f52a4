"""What hub.to_tensorflow gives can be trained further: named variables, free dimensions, gradients everywhere."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import tensorflow as tf

from isoform import hub
from isoform.converters import onnx_to_savedmodel
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import checkpoint

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
GRAPH = """<ir_version: 9, opset_import: ["" : 18]>
m (float[batch, 3, h, w] x, float[8, 3, 3, 3] conv_weight, float[8] conv_bias, float[8, 1, 3, 3] deep_weight,
   float[5, 8] fc_weight, float[5] fc_bias) => (float[batch, 5] y) {
    a = Conv<pads = [1, 1, 1, 1]>(x, conv_weight, conv_bias)
    b = Relu(a)
    c = Conv<group = 8, pads = [1, 1, 1, 1]>(b, deep_weight)
    d = GlobalAveragePool(c)
    e = Flatten(d)
    y = Gemm<transB = 1>(e, fc_weight, fc_bias) }"""


@pytest.fixture
def graph() -> ir.Model:
    """Return the graph with random initialisers for all inputs but the first."""
    proto = onnx.parser.parse_model(GRAPH)
    generator = np.random.default_rng(0)
    for value in proto.graph.input[1:]:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        proto.graph.initializer.append(onnx.numpy_helper.from_array(generator.random(shape, np.float32), value.name))
    del proto.graph.input[1:]
    return ir.from_proto(proto)


def test_variables_bear_the_names_of_the_initialisers(graph: ir.Model) -> None:
    module = hub.to_tensorflow(graph)
    assert sorted(module.weights) == ["conv_bias", "conv_weight", "deep_weight", "fc_bias", "fc_weight"]
    assert {variable.name for variable in module.trainable_variables} == {f"{name}:0" for name in module.weights}


def test_every_variable_gets_a_gradient_and_the_loss_falls(graph: ir.Model) -> None:
    module = hub.to_tensorflow(graph)
    x, wanted = tf.random.stateless_normal([4, 3, 8, 8], [1, 2]), tf.zeros([4, 5])
    losses = []
    for _ in range(5):
        with tf.GradientTape() as tape:
            losses.append(tf.reduce_mean(tf.square(module.serve(x)[0] - wanted)))
        gradients = tape.gradient(losses[-1], module.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        for variable, gradient in zip(module.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.01 * gradient)
    assert losses[-1] < losses[0]


def saved(graph: ir.Model, folder: Path) -> Path:
    source = folder / "m.onnx"
    ir.save(graph, source)
    signature = Signature(
        (TensorSpec("x", "float32", ("batch", 3, "h", "w"), layout="NCHW"),),
        (TensorSpec("y", "float32", ("batch", 5)),),
    )
    onnx_to_savedmodel.convert(Artifact("onnx", source, signature), folder / "saved", ConvertOptions())
    return folder / "saved"


def test_free_dimensions_stay_free_in_the_saved_model(graph: ir.Model, tmp_path: Path) -> None:
    serve = tf.saved_model.load(str(saved(graph, tmp_path))).signatures["serving_default"]
    assert serve.structured_input_signature[1]["x"].shape.as_list() == [None, 3, None, None]
    assert serve(x=tf.zeros([7, 3, 5, 9]))["y"].shape == (7, 5)


def test_weights_written_in_slices_are_read_as_they_were(
    graph: ir.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LARGEST_SLICE_BYTES", 64)
    x = tf.random.stateless_normal([2, 3, 6, 6], [3, 4])
    loaded = tf.saved_model.load(str(saved(graph, tmp_path)))
    assert len(list((tmp_path / "saved" / "variables").glob("*.data-*"))) > len(graph.graph.initializers)
    wanted = hub.to_tensorflow(graph)
    np.testing.assert_allclose(loaded.signatures["serving_default"](x=x)["y"], wanted.serve(x)[0], rtol=1e-6)
    assert {name: variable.shape for name, variable in loaded.weights.items()} == {
        name: variable.shape for name, variable in wanted.weights.items()
    }
    for name, variable in wanted.weights.items():
        np.testing.assert_array_equal(loaded.weights[name].numpy(), variable.numpy())
