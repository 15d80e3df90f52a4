"""ONNX and TorchScript on CUDA: without a device nothing is claimed; with one, numbers are float32's, not TF32's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from isoform import registry, store
from isoform.core.artifact import CASES_NAME, RECORD_NAME, Artifact, open_artifact
from isoform.core.bench import BENCH_NAME, BenchOptions
from isoform.core.cases import Cases, save
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.runtimes import ort, torch_jit
from isoform.stages import bench

SIGNATURE = Signature((TensorSpec("x", "float32", ("n", 256)),), (TensorSpec("y", "float32", ("n", 256)),))
WEIGHT = np.random.default_rng(0).standard_normal((256, 256), np.float32) / 16
ROWS = {"onnx": "ort-cuda", "torchscript": "torch-jit-cuda"}
MODULES: dict[str, Any] = {"onnx": ort, "torchscript": torch_jit}
OPTIONS = BenchOptions(processes=1, threads=(1,), rounds=5, warmup_s=0.01, warmup_limit_s=0.1, timed_limit_s=0.1)
HAS_CUDA = {
    "onnx": torch.cuda.is_available() and "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    "torchscript": torch.cuda.is_available(),
}
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Product(torch.nn.Module):
    """y = x w"""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.from_numpy(WEIGHT), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.w


@pytest.fixture(params=ROWS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A product of matrices, published in a format."""
    name = {"onnx": "model.onnx", "torchscript": "model.ts"}[request.param]
    if request.param == "onnx":
        inputs, outputs = (
            [helper.make_tensor_value_info(spec.name, onnx.TensorProto.FLOAT, spec.shape) for spec in side]
            for side in (SIGNATURE.inputs, SIGNATURE.outputs)
        )
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        graph = helper.make_graph(nodes, "net", inputs, outputs, [numpy_helper.from_array(WEIGHT, "w")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / name)
    else:
        torch.jit.trace(Product(), torch.ones(1, 256)).save(tmp_path / name)
    save(Cases(("gaussian",), ({"x": np.ones((1, 256), np.float32)},)), tmp_path / CASES_NAME)
    record = {
        "schema_version": 1, "name": "net", "framework": "torch", "format": request.param, "model": name, "key": "k",
        "signature": SIGNATURE.to_json(), "files": store.inventory(tmp_path), "parity": {}, "verdict": "NOT VERIFIED",
        "status": "unverified", "route": [], "tried": [], "reproduce": "isoform export net",
    }  # fmt: skip
    store.write_json(tmp_path / RECORD_NAME, record)
    return tmp_path


def measured(folder: Path) -> Any:
    with Pool() as pool:
        return bench.bench(folder, registry.runtime(ROWS[open_artifact(folder).format]), pool, OPTIONS)[0]


def opened(artifact: Artifact, **options: Any) -> Any:
    return MODULES[artifact.format].load(artifact, RunOptions(device="cuda", **options))


def test_without_a_device_nothing_opens_and_no_figure_is_written(folder: Path) -> None:
    artifact = open_artifact(folder)
    if HAS_CUDA[artifact.format]:
        pytest.skip("there is a CUDA device")
    with pytest.raises(IsoformError, match="^no CUDA device$") as caught:
        opened(artifact)
    assert caught.value.kind == "no-device"
    with pytest.raises(IsoformError, match="^no CUDA device$"):
        measured(folder)
    assert not (folder / BENCH_NAME).exists()


def test_the_script_says_what_was_not_proved_and_calls_no_cpu_figure_cudas(folder: Path, tmp_path: Path) -> None:
    artifact = open_artifact(folder)
    if HAS_CUDA[artifact.format]:
        pytest.skip("there is a CUDA device")
    program = Path(__file__).parents[1] / "cuda" / "run.sh"
    out = tmp_path.parent / f"{tmp_path.name}-results"
    there = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([program, folder, out], env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    (result,) = json.loads((out / "verify.json").read_text())["results"]
    assert [(each["runtime"], each["verdict"], each["headline"]) for each in result["parity"]] == [
        (ROWS[artifact.format], "NOT VERIFIED", "not verified: no CUDA device")
    ]
    (entry,) = json.loads((out / "bench.json").read_text())
    assert entry["error"]["kind"] == "no-device"
    assert not list((out / "exports").rglob(BENCH_NAME))
    assert ROWS[artifact.format] in (out / "report.html").read_text()
    assert subprocess.run([program, folder, out], env=there, capture_output=True, check=False).returncode == 2


def test_with_a_device_numbers_are_those_of_float32_and_not_of_tf32(folder: Path) -> None:
    artifact = open_artifact(folder)
    if not HAS_CUDA[artifact.format]:
        pytest.skip("no CUDA device")
    x = np.random.default_rng(1).standard_normal((64, 256), np.float32)
    exact = x.astype(np.float64) @ WEIGHT.astype(np.float64)
    error = np.abs(opened(artifact).run({"x": x})["y"] - exact).max()
    assert error < 1e-5  # TF32 keeps 10 bits of each factor: 1e-3 here
    rounded = np.abs(opened(artifact, tf32=True).run({"x": x})["y"] - exact).max()
    assert rounded >= error


def test_with_a_device_a_figure_says_that_it_is_the_gpus(folder: Path) -> None:
    if not HAS_CUDA[open_artifact(folder).format]:
        pytest.skip("no CUDA device")
    record = measured(folder)
    assert (record.device, record.runtime) == ("cuda", ROWS[open_artifact(folder).format])
    assert record.timings[0].median_ns > 0
