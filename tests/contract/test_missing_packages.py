"""What an environment with one framework can do, and what it says of the other, seen with packages hidden by turns."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import hiding
from isoform import registry
from isoform.errors import MissingDependency

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ROWS = [*registry.CONVERTERS.values(), *registry.RUNTIMES.values()]
NETWORK = """
from torch import nn
def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
"""
SHAPES = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "3.weight": (5, 144), "3.bias": (5,)}


def packages(extra: str) -> set[str]:
    """Return the packages that an extra installs, those of the extras it names included."""
    found: set[str] = set()
    for requirement in EXTRAS[extra]:
        name, inner = re.match(r"([\w-]+)(?:\[([\w,-]+)\])?", requirement).groups()
        found |= set().union(*map(packages, inner.split(","))) if name == "isoform" else {name}
    return found


def convert(folder: Path, hidden: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``isoform convert`` where neither it nor its children can import ``hidden``."""
    environment = hiding.environment(folder / "hiding", hidden)
    return subprocess.run(
        [sys.executable, "-m", "isoform", "convert", *words, "--out", str(folder / "out")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    safetensors.numpy.save_file(weights, tmp_path / "weights.safetensors")
    (tmp_path / "net.py").write_text(NETWORK)
    words = ["--arch", f"{tmp_path / 'net.py'}:build", "--input", "image:float32[batch,3,8,8]"]
    return [str(tmp_path / "weights.safetensors"), *words]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_extra_that_an_error_names_installs_all_that_the_row_needs(row: Any) -> None:
    distributions = importlib.metadata.packages_distributions()
    there = packages(row.extra)
    for module in row.needs:
        assert there & {module, *distributions.get(module, ()), f"{module}-gpu", module.replace("_", "-")}, (
            f"{row.extra} does not bring {module}"
        )


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_extra_brings_two_onnx_runtimes(extra: str) -> None:
    assert len(packages(extra) & {"onnxruntime", "onnxruntime-gpu"}) <= 1


@pytest.mark.parametrize("extra", ["torch", "tensorflow", "all"])
def test_on_a_gpu_an_extra_differs_in_its_onnx_runtime_alone(extra: str) -> None:
    assert packages(extra) ^ packages(f"{extra}-cuda") == {"onnxruntime", "onnxruntime-gpu"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_missing_package_is_named_with_the_extra_that_brings_it(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in row.needs:
        monkeypatch.setattr(registry, "find_spec", lambda name, hidden=module: None if name == hidden else object())
        with pytest.raises(MissingDependency) as caught:
            registry.require(row)
        assert str(caught.value) == f"'{row.name}' needs the package '{module}', which is not installed."
        assert caught.value.hint == f"pip install 'isoform[{row.extra}]'"


def test_without_tensorflow_a_checkpoint_becomes_the_rest_and_savedmodel_says_what_to_install(
    tmp_path: Path, checkpoint: list[str]
) -> None:
    done = convert(
        tmp_path, "tensorflow,keras,tf2onnx", *checkpoint, "--to", "onnx,savedmodel,tflite,torchscript", "--json"
    )
    results = {row["format"]: row for row in json.loads(done.stdout)["results"]}
    assert done.returncode == 3
    assert [results[name]["verdict"] for name in ("onnx", "tflite", "torchscript")] == ["PASS"] * 3
    assert results["savedmodel"]["error"] == {
        "kind": "missing-dependency",
        "message": "'onnx_to_savedmodel' needs the package 'tensorflow', which is not installed.",
        "hint": "pip install 'isoform[tensorflow]'",
    }


def test_without_its_framework_a_source_says_what_to_install_before_anything_starts(
    tmp_path: Path, checkpoint: list[str]
) -> None:
    done = convert(tmp_path, "torch", *checkpoint, "--to", "onnx")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-2:] == [
        "Error: 'torch-eager' needs the package 'torch', which is not installed.",
        "hint: pip install 'isoform[torch]'",
    ]
