"""OpenVINO IR: written from ONNX, proved on OpenVINO, with weights that are read without it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import isoform
from isoform.core.artifact import Artifact, files_of
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.intake import openvino_ir

pytest.importorskip("openvino", reason="not installed: pip install 'isoform[openvino]'")

from isoform.converters import onnx_to_openvino
from isoform.hub.faults import openvino as faults
from isoform.runtimes import ov

RNG = np.random.default_rng(2)
VALUE = helper.make_tensor_value_info
SHAPES = {"k": (4, 2, 3, 3), "s": (4,), "b": (4,), "m": (4,), "v": (4,), "w": (4, 5), "c": (5,)}
WEIGHTS = {name: RNG.uniform(0.1, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}


def network(folder: Path) -> Path:
    """Write a convolution with a batch normalisation and a ReLU, a mean over the image, a layer and two outputs."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["h1"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["h1", "s", "b", "m", "v"], ["h2"]),
        helper.make_node("Relu", ["h2"], ["h3"]),
        helper.make_node("ReduceMean", ["h3", "axes"], ["h4"], keepdims=0),
        helper.make_node("MatMul", ["h4", "w"], ["h5"]),
        helper.make_node("Add", ["h5", "c"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    held = [numpy_helper.from_array(array, name) for name, array in WEIGHTS.items()]
    held.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    outputs = [VALUE(name, TensorProto.FLOAT, ["batch", 5]) for name in ("logits", "probabilities")]
    graph = helper.make_graph(
        nodes, "g", [VALUE("x", TensorProto.FLOAT, ["batch", 2, "height", 6])], outputs, held
    )  # fmt: skip
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 2, "height", 6)),),
    tuple(TensorSpec(name, "float32", ("batch", 5)) for name in ("logits", "probabilities")),
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("openvino")
    [result] = isoform.convert(network(folder), "openvino", out=folder / "out")
    return result


def test_an_artifact_is_proved_and_says_of_what_semantics_were_asked(result) -> None:
    record = result.parity["openvino"]
    assert record["verdict"] == "PASS"
    assert {name: gate["verdict"] for name, gate in record["gates"].items()} == dict.fromkeys(record["gates"], "PASS")
    [semantics] = record["gates"]["semantics"]["findings"]
    assert semantics.endswith(
        "of the graph that it was written from; the file itself is not checked: OpenVINO has no float64 on CPUs"
    )


def test_both_files_are_recorded_and_every_weight_is_in_them_in_float32(result) -> None:
    files = json.loads((result.path / "artifact.json").read_text())["files"]
    assert {"model.xml", "model.bin"} <= set(files)
    assert [path.name for path in files_of(result.model)] == ["model.xml", "model.bin"]
    assert result.size_bytes == sum(files[name]["size_bytes"] for name in ("model.xml", "model.bin"))
    held = [array.tobytes() for array in openvino_ir.weights(result.model).values() if array.dtype == np.float32]
    assert not [name for name, array in WEIGHTS.items() if array.tobytes() not in held]


def test_every_dynamic_axis_stays_and_what_it_answers_is_what_numpy_does(result) -> None:
    session = ov.load(Artifact("openvino", result.model, SIGNATURE), RunOptions(threads=1))
    [spec] = session.signature.inputs
    assert (spec.name, spec.shape) == ("x", ("x_0", 2, "x_2", 6))
    for batch, height in ((1, 3), (3, 8)):
        x = RNG.normal(size=(batch, 2, height, 6)).astype(np.float32)
        found = session.run({"x": x})
        assert list(found) == ["logits", "probabilities"]
        np.testing.assert_allclose(found["logits"], by_hand(x), rtol=1e-4, atol=1e-5)
    session.close()


def by_hand(x: np.ndarray) -> np.ndarray:
    wide = {name: array.astype(np.float64) for name, array in WEIGHTS.items()}
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    features = np.einsum("bchwij,ocij->bohw", windows, wide["k"])
    scale = wide["s"] / np.sqrt(wide["v"] + 1e-5)
    features = (features - wide["m"][:, None, None]) * scale[:, None, None] + wide["b"][:, None, None]
    return np.maximum(features, 0).mean((2, 3)) @ wide["w"] + wide["c"]


def test_outputs_are_the_callers_and_bound_inputs_are_read_each_time(result) -> None:
    session = ov.load(Artifact("openvino", result.model, SIGNATURE), RunOptions())
    first = session.run({"x": np.ones((1, 2, 4, 6), np.float32)})["logits"]
    before = first.copy()
    bound = session.bind({"x": np.zeros((1, 2, 4, 6), np.float32)})
    bound.run()
    np.testing.assert_array_equal(first, before)
    np.testing.assert_allclose(bound.outputs()["logits"], by_hand(np.zeros((1, 2, 4, 6))), rtol=1e-4, atol=1e-5)
    session.close()


def test_a_changed_byte_of_the_weights_fails_digest_and_weights_though_no_output_shows_it(
    tmp_path: Path, result
) -> None:
    copy = tmp_path / "openvino"
    copy.mkdir()
    for path in result.path.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    data = bytearray((copy / "model.bin").read_bytes())
    data[data.index(WEIGHTS["w"].tobytes())] ^= 1  # the last bit of the first weight
    (copy / "model.bin").write_bytes(data)
    [record] = isoform.verify(copy)
    assert record.gates["weights"].verdict == "FAIL"
    assert record.gates["numerics"].verdict == "PASS"
    assert record.gates["structure"].findings == ("model.bin is not the file that was exported: its SHA-256 differs",)


def test_weights_halved_as_openvino_does_by_default_fail(tmp_path: Path) -> None:
    from isoform.hub.openvino_core import core, openvino
    from isoform.jobs.infer import match_weights, save_weights

    path, halved = network(tmp_path), tmp_path / "halved.xml"
    openvino.save_model(core().read_model(str(path)), str(halved))
    source = Artifact("onnx", path, SIGNATURE).to_json()
    save_weights({"runtime": "ort-cpu", "artifact": source, "folder": str(tmp_path / "w")}, print)
    target = Artifact("openvino", halved, SIGNATURE).to_json()
    arguments = {
        "runtime": "openvino",
        "artifact": target,
        "folder": str(tmp_path / "w"),
        "onnx": None,
        "float32": None,
        "integers": None,
    }
    found = match_weights(arguments, print)
    assert {entry["how"] for entry in found["explanations"]} == {"unexplained"}


def test_every_planted_fault_makes_another_network_and_the_copy_without_one_is_the_same(tmp_path: Path, result) -> None:
    artifact = Artifact("openvino", result.model, SIGNATURE)
    x = {"x": RNG.normal(size=(3, 2, 5, 6)).astype(np.float32)}
    expected = ov.load(artifact, RunOptions()).run(x)
    planted = []
    for name, fault in {"none": lambda model, rng: "nothing", **faults.FAULTS}.items():
        model = faults.opened(artifact)
        if fault(model, np.random.default_rng(0)) is None:
            continue
        faults.save(model, tmp_path / "copy.xml")
        copy = Artifact("openvino", tmp_path / "copy.xml", SIGNATURE)
        if name == "a frozen axis":
            assert ov.load(copy, RunOptions()).signature.inputs[0].shape[0] == 2
            continue
        found = ov.load(copy, RunOptions()).run(x)
        is_same = all(np.array_equal(found[key], expected[key]) for key in expected)
        assert is_same == (name == "none"), name
        planted.append(name)
    assert set(planted) >= {
        "none", "another epsilon", "padding off by one", "a leaking relu", "a softmax over another axis",
        "swapped outputs", "one weight off by a thousandth", "a zeroed channel", "a dropped bias",
    }  # fmt: skip


def test_of_a_gelu_by_its_error_function_the_fault_is_the_tanh_approximation(tmp_path: Path) -> None:
    steps = [("Div", "x", "root"), ("Erf", "h1"), ("Add", "h2", "one"), ("Mul", "x", "h3"), ("Mul", "h4", "half")]
    nodes = [helper.make_node(kind, inputs, [f"h{place}"]) for place, (kind, *inputs) in enumerate(steps, start=1)]
    numbers = {"root": 2**0.5, "one": 1.0, "half": 0.5}
    held = [numpy_helper.from_array(np.array(number, np.float32), name) for name, number in numbers.items()]
    x, y = (VALUE(name, TensorProto.FLOAT, ["batch", 64]) for name in ("x", "h5"))
    graph = helper.make_graph(nodes, "g", [x], [y], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "n.onnx")
    known = Signature(*((TensorSpec(name, "float32", ("batch", 64)),) for name in ("x", "h5")))
    target = tmp_path / "model.xml"
    onnx_to_openvino.convert(Artifact("onnx", tmp_path / "n.onnx", known), target, ConvertOptions())
    model = faults.opened(Artifact("openvino", target, known))
    assert faults.FAULTS["the other gelu"](model, np.random.default_rng(0)) == "'h2' (Erf): tanh"
    faults.save(model, tmp_path / "copy.xml")
    wide = np.linspace(-4, 4, 128).reshape(2, 64)
    found = ov.load(Artifact("openvino", tmp_path / "copy.xml", known), RunOptions()).run(
        {"x": wide.astype(np.float32)}
    )
    tanh = wide / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))
    np.testing.assert_allclose(found["h5"], tanh, atol=2e-6)
    exact = ov.load(Artifact("openvino", target, known), RunOptions()).run({"x": wide.astype(np.float32)})["h5"]
    assert 1e-4 < np.abs(exact - found["h5"]).max() < 1e-3


def test_an_operator_that_openvino_does_not_read_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    x = VALUE("x", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(
        [helper.make_node("NoSuch", ["x"], ["y"])], "g", [x], [VALUE("y", TensorProto.FLOAT, ["batch", 4])]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "n.onnx")
    with pytest.raises(IsoformError) as caught:
        onnx_to_openvino.convert(
            Artifact("onnx", tmp_path / "n.onnx", SIGNATURE), tmp_path / "model.xml", ConvertOptions()
        )
    reason = "No conversion rule found for operations: NoSuch-18"
    assert caught.value.what == f"OpenVINO does not read the graph: {reason}."
    assert [path.name for path in tmp_path.iterdir()] == ["n.onnx"]


@pytest.mark.parametrize(("options", "kind"), [({"device": "cuda"}, "no-device"), ({"is_float64": True}, "no-float64")])
def test_what_it_cannot_do_it_refuses(result, options: dict, kind: str) -> None:
    with pytest.raises(IsoformError) as caught:
        ov.load(Artifact("openvino", result.model, SIGNATURE), RunOptions(**options))
    assert caught.value.kind == kind


def test_importing_it_sends_and_writes_nothing(tmp_path: Path) -> None:
    code = "from isoform.hub.openvino_core import core; import sys; core(); print(sys.modules['openvino_telemetry'])"
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert list(tmp_path.iterdir()) == []
