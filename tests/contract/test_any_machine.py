"""A published artifact is verified with its format's runtime, NumPy and isoform's own dependencies, nothing else."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hiding

FORMATS = {
    "onnx": {"onnxruntime", "google", "flatbuffers"}, "tflite": {"ai_edge_litert", "flatbuffers", "ml_dtypes"},
    "openvino": {"openvino"}, "ort": {"onnxruntime", "google", "flatbuffers"},
    "torchscript": {"torch", "sympy", "networkx", "ml_dtypes"},
}  # fmt: skip
"""By format, the runtime and what comes with it."""
PACKAGES = {
    "onnx", "onnx_ir", "onnxscript", "onnxruntime", "torch", "tensorflow", "keras", "tf2onnx", "ai_edge_litert",
    "flatbuffers", "safetensors", "networkx", "scipy", "sklearn", "tokenizers", "h5py", "ml_dtypes", "google", "sympy",
    "tensorboard", "model_signing", "openvino", "cryptography",
}  # fmt: skip


def isoform(folder: Path, *words: str, hidden: set[str] = frozenset()) -> subprocess.CompletedProcess[str]:
    environment = hiding.environment(folder / "hiding", ",".join(sorted(hidden)))
    return subprocess.run(
        [sys.executable, "-m", "isoform", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an artifact of each format below ``out``."""
    folder = tmp_path_factory.mktemp("published")
    weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Tanh", ["h"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])], [weight],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "m.onnx")
    here = [name for name in FORMATS if name != "onnx" and (name != "openvino" or find_spec("openvino"))]
    for words in (("m.onnx", "--to", ",".join(here)), ("out/net/tflite/model.tflite", "--to", "onnx")):
        done = isoform(folder, "convert", *words, "--name", "net", "--out", "out")
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("format_name", FORMATS)
def test_its_runtime_is_enough(place: Path, format_name: str) -> None:
    if not (place / "out/net" / format_name).is_dir():
        pytest.skip(f"not installed: pip install 'isoform[{format_name}]'")
    hidden = PACKAGES - FORMATS[format_name]
    done = isoform(place, "verify", f"out/net/{format_name}", "--json", hidden=hidden)
    assert done.returncode == 0, done.stderr
    [result] = json.loads(done.stdout)["results"]
    record = result["parity"][0]
    assert result["verdict"] == "PASS"
    gates = {name: gate["verdict"] for name, gate in record["gates"].items()}
    expected = dict.fromkeys(("structure", "weights", "semantics", "numerics"), "PASS")
    if "not checked: the reference is not in float64" in record["gates"]["semantics"]["findings"]:
        expected["semantics"] = "NOT CHECKED"  # a TFLite source has no float64
    assert gates == expected


@pytest.mark.parametrize("format_name", FORMATS)
def test_without_its_runtime_nothing_is_claimed(place: Path, format_name: str) -> None:
    if not (place / "out/net" / format_name).is_dir():
        pytest.skip(f"not installed: pip install 'isoform[{format_name}]'")
    done = isoform(place, "verify", f"out/net/{format_name}", "--json", hidden=PACKAGES)
    assert done.returncode == 1
    assert json.loads(done.stdout)["results"][0]["verdict"] == "NOT VERIFIED"
