"""``isoform package`` on real files: what depends on its batch is not batched."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2

pytestmark = pytest.mark.torch


def isoform(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with artifacts of two networks; in one a softmax over axis 0 mixes the samples."""
    folder = tmp_path_factory.mktemp("packaged")
    weight = numpy_helper.from_array(np.random.default_rng(7).normal(0, 0.1, (16, 4)).astype(np.float32), "w")
    for name, axis in (("apart", -1), ("mixing", 0)):
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"], axis=axis)],
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
            [weight],
        )
        opset = helper.make_opsetid("", 20)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), folder / f"{name}.onnx")
        done = isoform(folder, "convert", f"{name}.onnx", "--to", "torchscript", "--out", "exports")
        assert done.returncode == 0, done.stderr
    return folder


def packaged(folder: Path, *words: str) -> dict[str, Any]:
    done = isoform(folder, "package", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_only_what_keeps_samples_apart_is_batched(folder: Path) -> None:
    paths = ("exports/apart/torchscript", "exports/mixing/torchscript")
    found = packaged(folder, *paths, "--for", "triton", "--out", "repository")
    apart, mixing = found["packages"]
    assert (apart["why_not_batched"], apart["verdict"]) == ("", "PASS")
    assert mixing["why_not_batched"] == "'y' of a sample depends on the samples beside it"
    is_batched = {}
    for name in ("apart", "mixing"):
        text = (folder / "repository" / name / "config.pbtxt").read_text()
        is_batched[name] = text_format.Parse(text, model_config_pb2.ModelConfig()).HasField("dynamic_batching")
    assert is_batched == {"apart": True, "mixing": False}


def test_an_unknown_server_and_a_format_that_it_does_not_open(folder: Path) -> None:
    done = isoform(folder, "package", "exports/apart/torchscript", "--for", "tritan")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "Error: --for: there is no 'tritan'.")
    done = isoform(folder, "package", "exports/apart/torchscript", "--for", "tf-serving")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2, "Error: exports/apart/torchscript: TensorFlow Serving does not open 'torchscript'.",
    )  # fmt: skip
