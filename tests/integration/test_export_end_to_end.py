"""From a user's folder to proved artifacts in every format, and what happens when something is wrong with one."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

ROOT = Path(__file__).parents[2]
FORMATS = ("onnx", "savedmodel", "tflite", "torchscript")

NETWORK = """
from torch import nn
from utils import WIDTH  # the user's own module of that name

def build(width: int = WIDTH):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 4 * 4, width), nn.ReLU(), nn.Linear(width, 5), nn.Softmax(dim=1),
    )
"""
MANIFEST = """
[model]
name = "tiny"
[parameters]
width = 24
[[inputs]]
name = "image"
dtype = "float32"
shape = ["batch", 3, 8, 8]
layout = "NCHW"
[[outputs]]
name = "probabilities"
dtype = "float32"
shape = ["batch", 5]
[torch]
factory = "models.net:build"
checkpoint = "weights.safetensors"
"""
MAKE_WEIGHTS = """
import sys; sys.path.insert(0, ".")
import torch, safetensors.torch
from models.net import build
torch.manual_seed(0)
model = build()
for name, tensor in model.state_dict().items():
    if "running" in name: tensor.copy_(torch.rand(tensor.shape) + 0.5)
safetensors.torch.save_file(model.state_dict(), "weights.safetensors")
"""


def isoform(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "isoform", *words], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a user's repository whose packages have the names that everybody takes."""
    folder = tmp_path_factory.mktemp("user") / "my repository"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "__init__.py").touch()
    (folder / "utils.py").write_text("WIDTH = 24")
    (folder / "models" / "net.py").write_text(NETWORK)
    (folder / "isoform.toml").write_text(MANIFEST)
    subprocess.run([sys.executable, "-c", MAKE_WEIGHTS], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def exported(repository: Path) -> tuple[Path, dict]:
    """Return the folder of the four artifacts, and the document that export printed."""
    result = isoform("export", ".", "--json", cwd=repository)
    assert result.returncode == 0, result.stderr
    return repository / "exports" / "tiny" / "torch", json.loads(result.stdout)


def test_every_format_passes_on_its_own_runtime(exported: tuple[Path, dict]) -> None:
    folder, document = exported
    assert {result["format"]: result["verdict"] for result in document["results"]} == dict.fromkeys(FORMATS, "PASS")
    for name in FORMATS:
        record = json.loads((folder / name / "artifact.json").read_text())
        assert record["route"][0]["peak_rss_bytes"] > 0
        assert set(record["files"]) >= {"cases.npz", "weights.json"}


def test_cuda_is_not_verified_here_and_never_a_pass(exported: tuple[Path, dict]) -> None:
    record = json.loads((exported[0] / "onnx" / "artifact.json").read_text())
    assert record["parity"]["ort-cuda"]["verdict"] in ("NOT VERIFIED", "PASS")
    if record["parity"]["ort-cuda"]["verdict"] == "NOT VERIFIED":
        assert record["parity"]["ort-cuda"]["headline"] == "not verified: no CUDA device"


def test_a_second_export_does_nothing_again(exported: tuple[Path, dict], repository: Path) -> None:
    again = json.loads(isoform("export", ".", "--json", cwd=repository).stdout)
    assert all(result["reused"] for result in again["results"])


def test_verify_passes_and_writes_nothing(exported: tuple[Path, dict], repository: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported[0].rglob("*")}
    result = isoform("verify", str(exported[0]), cwd=repository)
    assert result.returncode == 0, result.stderr
    assert {path: path.stat().st_mtime_ns for path in exported[0].rglob("*")} == before


@pytest.fixture
def artifact(exported: tuple[Path, dict], tmp_path: Path) -> Path:
    """Return a copy of the ONNX artifact that a test may damage."""
    subprocess.run(["cp", "-r", str(exported[0] / "onnx"), str(tmp_path / "onnx")], check=True)
    return tmp_path / "onnx"


def alter(artifact: Path, change) -> None:
    model = onnx.load(artifact / "model.onnx")
    change({tensor.name: tensor for tensor in model.graph.initializer})
    onnx.save(model, artifact / "model.onnx")


def set_array(tensor: onnx.TensorProto, array: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


def swap_two_classes(tensors: dict[str, onnx.TensorProto]) -> None:
    for name in ("7.weight", "7.bias"):
        array = numpy_helper.to_array(tensors[name])
        set_array(tensors[name], array[[1, 0, *range(2, 5)]])


def scale_one_weight(tensors: dict[str, onnx.TensorProto]) -> None:
    array = numpy_helper.to_array(tensors["5.weight"]).copy()
    array[3, 3] *= np.float32(1.01)
    set_array(tensors["5.weight"], array)


@pytest.mark.parametrize("fault", [swap_two_classes, scale_one_weight])
def test_a_planted_fault_is_a_failed_result(artifact: Path, fault) -> None:
    alter(artifact, fault)
    result = isoform("verify", str(artifact), "--runtime", "ort-cpu", "--json", cwd=ROOT)
    assert result.returncode == 1, result.stderr
    (entry,) = json.loads(result.stdout)["results"]
    assert entry["verdict"] == "FAIL"
    assert entry["parity"][0]["gates"]["weights"]["verdict"] == "FAIL"


def test_swapped_classes_are_seen_in_the_numbers_alone(artifact: Path) -> None:
    alter(artifact, swap_two_classes)
    model, cases = str(artifact / "model.onnx"), str(artifact / "cases.npz")
    result = isoform("verify", model, "--cases", cases, "--runtime", "ort-cpu", "--json", cwd=ROOT)
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)["results"][0]["parity"][0]["gates"]["numerics"]["verdict"] == "FAIL"


def test_a_truncated_model_is_an_error_and_not_a_verdict(artifact: Path) -> None:
    content = (artifact / "model.onnx").read_bytes()
    (artifact / "model.onnx").write_bytes(content[: len(content) // 2])
    result = isoform("verify", str(artifact), "--runtime", "ort-cpu", cwd=ROOT)
    assert result.returncode == 4
    assert "Traceback" not in result.stderr


def test_a_killed_child_fails_its_artifact_and_the_others_are_finished(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "exports"
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "isoform", "export", str(repository), "--out", str(out), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    killer = threading.Thread(target=kill_children_of, args=(process.pid, "litert-"), daemon=True)
    killer.start()
    stdout, stderr = process.communicate(timeout=300)
    results = {result["format"]: result for result in json.loads(stdout)["results"]}
    assert process.returncode == 4, stderr
    assert results["tflite"]["status"] == "failed"
    assert results["tflite"]["error"]["kind"] in ("out-of-memory", "crashed")
    assert {results[name]["status"] for name in FORMATS if name != "tflite"} == {"passed"}
    assert not list(out.rglob(".tflite.*"))
    failure = json.loads((out / "tiny" / "torch" / "tflite.failure.json").read_text())
    assert failure["error"] == results["tflite"]["error"]


def kill_children_of(parent: int, log_prefix: str) -> None:
    """Send SIGKILL to every child of ``parent`` whose log has this name, as soon as it is there: on every route."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                is_child = int(stat.rpartition(")")[2].split()[1]) == parent
                environment = (entry / "environ").read_bytes()
            except (OSError, ProcessLookupError):
                continue
            if is_child and f"/{log_prefix}".encode() in environment:
                with suppress(ProcessLookupError):
                    os.kill(int(entry.name), signal.SIGKILL)
        time.sleep(0.005)
