"""ONNX to TFLite as a user asks for it: the file is read back when written, runs, and names its weights."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from isoform.converters import onnx_to_tflite
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UnsupportedOperator
from isoform.hub import graph as hub_graph
from isoform.hub.emitters import tflite
from isoform.runtimes import litert

RNG = np.random.default_rng(11)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
IMAGES = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 12, 12), layout="NCHW"),),
    (TensorSpec("probabilities", "float32", ("batch", 5)),),
)
WORDS = Signature(
    (TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=50),),
    (TensorSpec("scores", "float32", ("batch", 2)),),
)
ANY_WORDS = Signature((TensorSpec("tokens", "int64", ("batch", "length")),), WORDS.outputs)


def floats(*shape: int, low: float = -1.0) -> np.ndarray:
    return RNG.uniform(low, 1, shape).astype(np.float32)


def proto(signature: Signature, nodes: list, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    kinds = {"float32": FLOAT, "int64": INT64}
    sides = [
        [helper.make_tensor_value_info(spec.name, kinds[spec.dtype], spec.shape) for spec in side]
        for side in (signature.inputs, signature.outputs)
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(*args, **attributes) for args, attributes in nodes], "m", *sides, arrays
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def images() -> onnx.ModelProto:
    constants = {
        "k1": floats(8, 3, 3, 3), "b1": floats(8), "gamma": floats(8, low=0.5), "beta": floats(8), "mean": floats(8),
        "variance": floats(8, low=0.2), "k2": floats(8, 1, 3, 3), "w": floats(72, 5), "b": floats(5),
    }  # fmt: skip
    nodes = [
        (("Conv", ["image", "k1", "b1"], ["c1"]), {"pads": [1, 1, 1, 1]}),
        (("BatchNormalization", ["c1", "gamma", "beta", "mean", "variance"], ["n1"]), {}),
        (("Relu", ["n1"], ["r1"]), {}),
        (("MaxPool", ["r1"], ["p1"]), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        (("Conv", ["p1", "k2"], ["c2"]), {"pads": [1, 1, 1, 1], "group": 8}),
        (("AveragePool", ["c2"], ["p2"]), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        (("Flatten", ["p2"], ["f"]), {}),
        (("Gemm", ["f", "w", "b"], ["g"]), {}),
        (("Softmax", ["g"], ["probabilities"]), {}),
    ]
    return proto(IMAGES, nodes, constants)


def words() -> onnx.ModelProto:
    constants = {
        "table": floats(50, 6), "W": floats(1, 16, 6), "R": floats(1, 16, 4), "B": floats(1, 32), "w": floats(4, 2),
        "axes": np.array([0]),
    }  # fmt: skip
    nodes = [
        (("Gather", ["table", "tokens"], ["e"]), {}),
        (("Transpose", ["e"], ["t"]), {"perm": [1, 0, 2]}),
        (("LSTM", ["t", "W", "R", "B"], ["", "h"]), {"hidden_size": 4}),
        (("Squeeze", ["h", "axes"], ["s"]), {}),
        (("MatMul", ["s", "w"], ["scores"]), {}),
    ]
    return proto(WORDS, nodes, constants)


def converted(folder: Path, model: onnx.ModelProto, signature: Signature) -> Artifact:
    onnx.save(model, folder / "model.onnx")
    source = Artifact("onnx", folder / "model.onnx", signature)
    onnx_to_tflite.convert(source, folder / "model.tflite", ConvertOptions())
    return Artifact("tflite", folder / "model.tflite", signature)


@pytest.mark.parametrize("is_optimised", [True, False])
@pytest.mark.parametrize(("build", "signature"), [(images, IMAGES), (words, ANY_WORDS), (words, WORDS)])
def test_the_file_answers_as_onnx_runtime_does_at_every_size(tmp_path, build, signature, is_optimised) -> None:
    model = build()
    artifact = converted(tmp_path, model, signature)
    reference = onnxruntime.InferenceSession(model.SerializeToString())
    session = litert.load(artifact, RunOptions(is_optimised=is_optimised, threads=1))
    for batch, length in ((1, 1), (3, 9), (2, 4), (3, 9)):
        spec = signature.inputs[0]
        shape = spec.sizes({"batch": batch, "length": length})
        lowest = -50 if spec.low is None else spec.low  # a place may count from the end, unless it is declared not to
        x = RNG.integers(lowest, 50, shape) if spec.dtype == "int64" else RNG.standard_normal(shape).astype(np.float32)
        [wanted], found = reference.run(None, {spec.name: x}), session.run({spec.name: x})
        np.testing.assert_allclose(found[signature.outputs[0].name], wanted, rtol=1e-5, atol=1e-6)
    session.close()


@pytest.mark.parametrize(("build", "signature"), [(images, IMAGES), (words, WORDS)])
def test_the_signature_is_read_back_with_the_names_of_its_dynamic_sizes(tmp_path, build, signature) -> None:
    found = litert.load(converted(tmp_path, build(), signature), RunOptions()).signature
    for mine, declared in zip((*found.inputs, *found.outputs), (*signature.inputs, *signature.outputs), strict=True):
        assert (mine.name, mine.dtype, mine.shape) == (declared.name, declared.dtype, declared.shape)


def test_every_weight_is_in_the_file_bit_for_bit(tmp_path: Path) -> None:
    model = words()
    stored = {array.tobytes() for array in litert.weights(converted(tmp_path, model, WORDS)).values()}
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert {given["table"].tobytes(), given["W"].tobytes(), given["R"].tobytes(), given["w"].T.tobytes()} <= stored
    assert {half.tobytes() for half in np.split(given["B"], 2, axis=1)} <= stored


def test_a_batch_norm_is_in_the_convolution_before_it_rounded_once(tmp_path: Path) -> None:
    model = images()
    stored = {array.tobytes() for array in litert.weights(converted(tmp_path, model, IMAGES)).values()}
    given = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    scale = given["gamma"] / np.sqrt(given["variance"] + np.float32(1e-5).astype(np.float64))
    folded = (given["k1"] * scale[:, None, None, None]).astype(np.float32).transpose(0, 2, 3, 1)
    shifted = (given["beta"] + (given["b1"] - given["mean"]) * scale).astype(np.float32)
    assert {folded.tobytes(), shifted.tobytes()} <= stored


def test_a_network_of_images_is_transposed_at_its_input_and_where_it_is_flattened_only() -> None:
    file = tflite.build(hub_graph.load(images()))
    transpose = file.codes.index(schema.BuiltinOperator.TRANSPOSE)
    assert sum(operator.opcodeIndex == transpose for operator in file.sub_graphs[0].operators) == 2


def test_a_place_outside_of_a_table_ends_the_call_and_not_the_process(tmp_path: Path) -> None:
    session = litert.load(converted(tmp_path, words(), WORDS), RunOptions())
    with pytest.raises(RuntimeError, match="index out of bounds"):
        session.run({"tokens": np.array([[0, 50]])})
    assert session.run({"tokens": np.array([[0, 49]])})["scores"].shape == (1, 2)


def test_all_operators_that_are_not_carried_are_named_and_no_file_is_left(tmp_path: Path) -> None:
    spec = TensorSpec("x", "float32", ("n", 4)), TensorSpec("y", "float32", ("n", 4))
    signature = Signature(spec[:1], spec[1:])
    nodes = [(("Det", ["x"], ["a"]), {"name": "first"}), (("StringNormalizer", ["a"], ["y"]), {"name": "second"})]
    with pytest.raises(UnsupportedOperator) as caught:
        converted(tmp_path, proto(signature, nodes, {}), signature)
    assert caught.value.what == (
        "'Det' (node first, opset 18); 'StringNormalizer' (node second, opset 18): no TFLite form here."
    )
    assert not (tmp_path / "model.tflite").exists()


def test_a_file_that_does_not_run_is_no_result(tmp_path: Path) -> None:
    claimed = Signature(WORDS.inputs, (TensorSpec("scores", "float32", ("batch", 3)),))
    with pytest.raises(IsoformError) as caught:
        converted(tmp_path, words(), claimed)
    assert caught.value.kind == "broken-file"
    assert caught.value.what == (
        "LiteRT does not run model.tflite with batch = 1, length = 7: 'scores' comes out as (1, 2), expected (1, 3)"
    )
    assert not (tmp_path / "model.tflite").exists()


def test_bytes_that_are_no_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"nothing")
    with pytest.raises(IsoformError, match=r"model\.tflite: .*LiteRT does not open it"):
        litert.load(Artifact("tflite", path, WORDS), RunOptions())


def test_a_gelu_that_is_written_out_becomes_one_operator_with_the_same_numbers(tmp_path: Path) -> None:
    specs = TensorSpec("x", "float32", ("n", 7)), TensorSpec("y", "float32", ("n", 7))
    signature = Signature(specs[:1], specs[1:])
    nodes = [
        (("Div", ["x", "root"], ["d"]), {}), (("Erf", ["d"], ["e"]), {}), (("Add", ["e", "one"], ["s"]), {}),
        (("Mul", ["x", "s"], ["p"]), {}), (("Mul", ["p", "half"], ["y"]), {}),
    ]  # fmt: skip
    numbers = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    model = proto(signature, nodes, {name: np.array(number) for name, number in numbers.items()})
    session = litert.load(converted(tmp_path, model, signature), RunOptions())
    x = np.linspace(-6, 6, 35, dtype=np.float32).reshape(5, 7)
    [wanted] = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(session.run({"x": x})["y"], wanted, rtol=1e-5, atol=1e-6)
    assert tflite.build(hub_graph.load(model)).codes == [schema.BuiltinOperator.GELU]


def test_outputs_of_one_value_keep_their_names_and_their_order(tmp_path: Path) -> None:
    spec = ("float32", ("batch", 4))
    signature = Signature((TensorSpec("x", *spec),), tuple(TensorSpec(name, *spec) for name in ("b", "a", "c", "d")))
    nodes = [
        (("Tanh", ["x"], ["b"]), {}),
        (("Identity", ["b"], ["a"]), {}),
        (("Neg", ["x"], ["c"]), {}),
        (("Identity", ["a"], ["d"]), {}),
    ]
    artifact = converted(tmp_path, proto(signature, nodes, {}), signature)
    session = litert.load(artifact, RunOptions())
    assert session.signature == signature
    x = floats(3, 4)
    found = session.run({"x": x})
    for name, wanted in {"a": np.tanh(x), "b": np.tanh(x), "c": -x, "d": np.tanh(x)}.items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-6)
