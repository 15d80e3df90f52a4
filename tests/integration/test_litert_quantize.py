"""The job that writes integers, end to end: what ONNX Runtime and LiteRT answer from what comes out of float files."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import parser

from isoform.core import cases
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph
from isoform.jobs import quantize as job
from isoform.jobs.quantize import quantize
from isoform.runtimes import litert, ort

RNG = np.random.default_rng(3)
IMAGES = """
a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (image, w1, b1)
n = BatchNormalization (a, scale, shift, mean, variance)
r = Relu(n)
d = Conv <pads = [1, 1, 1, 1], group = 16> (r, w2, b2)
s = Clip(d, low, high)
p = Conv (s, w3)
t = Add(p, r)
m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t)
g = GlobalAveragePool(m)
f = Flatten(g)
logits = MatMul(f, w4)
raised = Add(logits, b4)
probabilities = Softmax(raised)
"""
TEXT = """
rows = Gather(table, tokens)
turned = Transpose <perm = [1, 0, 2]> (rows)
states, last = LSTM <hidden_size = 32> (turned, w, r, b)
flat = Squeeze(last, zero)
logits = Gemm(flat, k)
probabilities = Softmax(logits)
"""


def image_network() -> tuple[onnx.ModelProto, Signature]:
    weights = {
        "w1": RNG.standard_normal((16, 3, 3, 3)), "b1": RNG.standard_normal(16), "scale": RNG.uniform(0.5, 2, 16),
        "shift": RNG.standard_normal(16), "mean": RNG.standard_normal(16), "variance": RNG.uniform(0.5, 2, 16),
        "w2": RNG.standard_normal((16, 1, 3, 3)), "b2": RNG.standard_normal(16), "low": np.zeros(()),
        "high": np.full((), 6.0), "w3": RNG.standard_normal((16, 16, 1, 1)), "w4": RNG.standard_normal((16, 5)),
        "b4": RNG.standard_normal(5),
    }  # fmt: skip
    weights["w2"][5] *= 300  # one scale for all would leave the other channels nothing
    image = TensorSpec("image", "float32", ("batch", 3, 16, 16))
    return _network(IMAGES, "float[batch,3,16,16] image", weights), _signature(image)


def text_network() -> tuple[onnx.ModelProto, Signature]:
    weights = {
        "table": RNG.standard_normal((200, 24)), "w": RNG.standard_normal((1, 128, 24)) / 5,
        "r": RNG.standard_normal((1, 128, 32)) / 5, "b": RNG.standard_normal((1, 256)) / 5,
        "k": RNG.standard_normal((32, 5)),
    }  # fmt: skip
    tokens = TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=200)
    body = TEXT
    network = _network(body, "int64[batch,length] tokens", weights)
    network.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "zero"))
    return network, _signature(tokens)


def _network(body: str, inputs: str, weights: dict[str, Any]) -> onnx.ModelProto:
    text = f'<ir_version: 9, opset_import: ["" : 18]> g ({inputs}) => (float[batch,5] probabilities) {{ {body} }}'
    network = parser.parse_model(text)
    network.graph.initializer.extend(
        onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()
    )
    return network


def _signature(spec: TensorSpec) -> Signature:
    return Signature((spec,), (TensorSpec("probabilities", "float32", ("batch", 5)),))


def drawn(signature: Signature, count: int, seed: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    [spec] = signature.inputs
    if spec.dtype == "int64":
        return [{spec.name: rng.integers(0, 200, (4, 3 + place % 4))} for place in range(count)]
    return [{spec.name: rng.standard_normal((4, 3, 16, 16)).astype(np.float32)} for _ in range(count)]


NETWORKS = {"images": image_network, "text": text_network}


@pytest.fixture(autouse=True)
def _lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of random weights decide by narrow margins: nothing is to be kept in float for that."""
    monkeypatch.setattr(job, "LEAST", 0.8)


@pytest.fixture(scope="module", params=NETWORKS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    network, signature = NETWORKS[request.param]()
    path = tmp_path_factory.mktemp("quantize") / "model.onnx"
    onnx.save(network, path)
    return Artifact("onnx", path, signature)


def written(source: Artifact, folder: Path, format_name: str, precision: str) -> tuple[Artifact, dict[str, Any]]:
    """Return the file in integers, and what the job answers."""
    calibration = folder / "calibration.npz"
    given = drawn(source.signature, 25, seed=1)
    cases.save(Cases(("given",) * len(given), tuple(given)), calibration)
    target = Artifact(format_name, folder / f"model.{format_name}", source.signature)
    own = source if format_name == "onnx" else target
    answer = quantize(
        {
            "source": own.to_json(), "target": str(target.model), "precision": precision,
            "calibration": str(calibration), "workspace": str(folder), "hub": str(source.model),
        },
        lambda **_: None,
    )  # fmt: skip
    return target, answer


def answers(artifact: Artifact, inputs: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    session = (ort if artifact.format == "onnx" else litert).load(artifact, RunOptions(threads=1))
    try:
        return [session.run(case)["probabilities"] for case in inputs]
    finally:
        session.close()


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_both_files_answer_nearly_as_the_float_file_at_any_size(
    source: Artifact, precision: str, tmp_path: Path
) -> None:
    inputs = drawn(source.signature, 6, seed=2)
    wanted = answers(source, inputs)
    found = {}
    for format_name in ("onnx", "tflite"):
        folder = tmp_path / format_name
        folder.mkdir()
        artifact, _ = written(source, folder, format_name, precision)
        found[format_name] = answers(artifact, inputs)
        for one, other in zip(wanted, found[format_name], strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max() < 0.15
            assert np.mean(one.argmax(-1) == other.argmax(-1)) >= 0.75
    apart = [np.abs(one - other).max() for one, other in zip(*found.values(), strict=True)]
    assert max(apart) < 0.1


def test_the_job_says_what_it_has_done(source: Artifact, tmp_path: Path) -> None:
    _, answer = written(source, tmp_path, "onnx", "int8")
    assert answer["versions"].keys() == {"onnx", "onnxruntime"}
    assert answer["search"]["chosen"]["kept"] == answer["kept"]
    assert 0 < answer["arithmetic"]["integer_share"] <= 1
    float_graph = graph.load(answer["float"])
    assert "BatchNormalization" not in {node.op_type for node in float_graph.graph}
    exact = answers(Artifact("onnx", Path(answer["float"]), source.signature), drawn(source.signature, 2, seed=5))
    for one, other in zip(answers(source, drawn(source.signature, 2, seed=5)), exact, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_no_weight_is_left_in_floats(source: Artifact, precision: str, tmp_path: Path) -> None:
    for format_name in ("onnx", "tflite"):
        folder = tmp_path / format_name
        folder.mkdir()
        artifact, _ = written(source, folder, format_name, precision)
        sizes = _onnx_floats(artifact.model) if format_name == "onnx" else _tflite_floats(artifact.model)
        assert max(sizes, default=0) <= 256  # scales, biases


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_weights_leave_room_for_sums_in_sixteen_bits_where_processors_have_no_more(
    source: Artifact, precision: str, tmp_path: Path
) -> None:
    """Rows that are looked up are never multiplied as they are stored."""
    for format_name in ("onnx", "tflite"):
        (tmp_path / format_name).mkdir()
    multiplied = _onnx_integers(written(source, tmp_path / "onnx", "onnx", precision)[0].model)
    assert {int(np.abs(array.astype(int)).max()) for array in multiplied} == {64}
    largest = [np.abs(array.astype(int)).max() for array in _tflite_integers(
        written(source, tmp_path / "tflite", "tflite", precision)[0].model
    )]  # fmt: skip
    assert max(largest) == 127


def _onnx_integers(path: Path) -> list[np.ndarray]:
    network = onnx.load(path).graph
    tables = {node.input[0] for node in network.node if node.op_type == "Gather"}
    found = [onnx.numpy_helper.to_array(each) for each in network.initializer if each.name not in tables]
    return [array for array in found if array.dtype == np.int8 and array.ndim > 1 and array.any()]


def _tflite_integers(path: Path) -> list[np.ndarray]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    tensors = [tensor for sub_graph in model.subgraphs for tensor in sub_graph.tensors]
    stored = [model.buffers[tensor.buffer].data for tensor in tensors if tensor.type == schema.TensorType.INT8]
    return [np.asarray(data, np.uint8).view(np.int8) for data in stored if data is not None and len(data) > 32]


def _onnx_floats(path: Path) -> list[int]:
    tensors = onnx.load(path).graph.initializer
    return [int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT]


def _tflite_floats(path: Path) -> list[int]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    found = []
    for sub_graph in model.subgraphs:
        for tensor in sub_graph.tensors:
            buffer = model.buffers[tensor.buffer]
            if tensor.type == schema.TensorType.FLOAT32 and (buffer.data is not None or buffer.size > 1):
                found.append(int(np.prod(tensor.shape)))
    return found


def test_an_old_opset_is_refused(tmp_path: Path) -> None:
    network, signature = text_network()
    network.opset_import[0].version = 11
    path = tmp_path / "model.onnx"
    onnx.save(network, path)
    with pytest.raises(Exception, match="The graph is of opset 11, and integers for each channel need 13 or later"):
        written(Artifact("onnx", path, signature), tmp_path, "onnx", "dynamic-int8")
