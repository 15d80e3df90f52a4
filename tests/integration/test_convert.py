"""Converting a file of one's own: ONNX, a state dict, through the Python functions and the command line."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import isoform
from isoform.errors import IsoformError, UsageError

NETWORK = """
from torch import nn
def build(width: int):
    return nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 3))
"""


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Return a two-layer network as an ONNX file that another tool might have written."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
        for name, shape in (("w1", (6, 16)), ("b1", (16,)), ("w2", (16, 3)))
    ]
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"]),
        helper.make_node("LeakyRelu", ["hidden"], ["active"], alpha=0.2),
        helper.make_node("MatMul", ["active", "w2"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=-1),
    ]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 6])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])]
    model = helper.make_model(
        helper.make_graph(nodes, "net", inputs, outputs, weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    path = tmp_path / "classifier.onnx"
    onnx.save(model, path)
    return path


def test_an_onnx_file_becomes_every_other_format_and_each_is_proved(onnx_file: Path, tmp_path: Path) -> None:
    before = onnx_file.read_bytes()
    results = isoform.convert(onnx_file, to=["tflite", "savedmodel", "torchscript"], out=tmp_path / "out")
    assert [(result.format, result.status) for result in results] == [
        ("tflite", "passed"), ("savedmodel", "passed"), ("torchscript", "passed"),
    ]  # fmt: skip
    assert results[0].path == tmp_path / "out" / "classifier" / "tflite"
    assert onnx_file.read_bytes() == before


def test_a_pickled_state_dict_with_its_network_becomes_onnx(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(NETWORK)
    network = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    (result,) = isoform.convert(
        tmp_path / "weights.pt",
        to=["onnx"],
        arch=f"{tmp_path / 'net.py'}:build",
        arch_arguments={"width": 8},
        inputs=["features:float32[batch,6]"],
        out=tmp_path / "out",
    )
    assert (result.status, result.verdict) == ("passed", "PASS")
    (record,) = isoform.verify(tmp_path / "out" / "weights" / "onnx", runtimes=["ort-cpu"])
    assert record.verdict == "PASS"
    assert record.sizes == {"batch": [1, 2, 3, 5]}


def test_an_operator_that_a_target_cannot_carry_is_named_and_the_other_targets_go_on(tmp_path: Path) -> None:
    nodes = [helper.make_node("Det", ["x"], ["y"], name="determinant")]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "det.onnx")
    (tflite,) = isoform.convert(tmp_path / "det.onnx", to=["tflite"], out=tmp_path / "out")
    assert tflite.status == "failed"
    assert tflite.error is not None
    assert tflite.error.what == "'Det' (node determinant, opset 17): no TFLite form here."
    assert (tmp_path / "out" / "det" / "tflite.failure.json").is_file()
    assert not (tmp_path / "out" / "det" / "tflite").exists()


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    import pickle

    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (marker,))

    (tmp_path / "net.py").write_text(NETWORK)
    torch = pytest.importorskip("torch")
    torch.save({"w": Evil()}, tmp_path / "weights.pt", pickle_module=pickle)
    with pytest.raises(IsoformError, match="holds more than weights; loading it would import and may run"):
        isoform.convert(
            tmp_path / "weights.pt", to=["onnx"], arch=f"{tmp_path / 'net.py'}:build", inputs=["x:float32[batch,6]"]
        )
    assert not marker.exists()


def test_the_same_format_and_no_format_are_usage_errors(onnx_file: Path, tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="The source is onnx already."):
        isoform.convert(onnx_file, to=["onnx"], out=tmp_path / "out")
    with pytest.raises(UsageError, match="No target format was given."):
        isoform.convert(onnx_file, to=[], out=tmp_path / "out")


def test_images_come_out_channels_last_where_that_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kernel = numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "kernel")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "kernel"], ["features"], pads=[1, 1, 1, 1])],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 6])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 4, 8, 6])],
        [kernel],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "conv.onnx")
    (result,) = isoform.convert(
        tmp_path / "conv.onnx",
        to=["tflite"],
        inputs=["image:float32[n,3,8,6]:NCHW"],
        io_layout="nhwc",
        out=tmp_path / "out",
    )
    assert (result.status, result.verdict) == ("passed", "PASS")
    record = json.loads((tmp_path / "out" / "conv" / "tflite" / "artifact.json").read_text())
    assert record["signature"]["inputs"][0]["shape"] == ["n", 8, 6, 3]
    assert [step["converter"] for step in record["route"]] == ["io_layout_nhwc", "onnx_to_tflite"]
    (again,) = isoform.verify(tmp_path / "out" / "conv" / "tflite")
    assert again.verdict == "PASS"
