"""The command line as a script meets it: text, exit codes, JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isoform import cli

ROOT = Path(__file__).parents[2]


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "isoform", *words], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: isoform {name}")
    if name != "doctor":
        assert f"isoform {name}" in result.stdout.split("Options:")[1]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["frobnicate"], 2, "Error: There is no command 'frobnicate'."),
        (["convert"], 2, "isoform export models/mlp\n"),
        (["convert", "nothing.onnx", "--to", "tflite"], 2, "Error: nothing.onnx: no such file or folder."),
        (["convert", "README.md", "--to", "tflite"], 4, "not a model in a format known here"),
        (["convert", "README.md"], 4, "not a model in a format known here"),
        (["routes", "keras", "coreml"], 2, "Error: There is no format 'coreml'."),
        (["verify", "models"], 2, "Error: models: no artifact at or below it."),
        (["verify", "models", "--runtime", "tpu"], 2, "Error: There is no runtime 'tpu'."),
        (["export", "models"], 2, "Error: models: no isoform.toml in this folder."),
        (["export", "models/mlp", "-p", "image_size=8"], 2, "Error: No model here has the parameter 'image_size'."),
        (["export", "models/mlp", "-p", "image_size"], 2, "Error: --parameter 'image_size' is not KEY=VALUE."),
        (["report", "nowhere"], 2, "Error: nowhere: no such folder."),
    ],
)
def test_a_wrong_request_is_one_line_with_a_hint(words: list[str], code: int, text: str) -> None:
    result = run(*words)
    assert result.returncode == code, result.stderr
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_routes_as_json_is_one_document() -> None:
    result = run("routes", "keras", "tflite", "--json")
    document = json.loads(result.stdout)
    assert document["routes"][0]["converters"] == ["keras_to_onnx", "onnx_to_tflite"]


def test_routes_as_text_name_the_converters() -> None:
    first, second = run("routes", "torch", "tflite").stdout.splitlines()[:2]
    assert first == "1. torch -> onnx -> tflite   (torch_to_onnx, onnx_to_tflite)"
    assert second == "2. torch -> onnx (traced) -> tflite   (torch_to_onnx_traced, onnx_to_tflite)"


def test_a_checkpoint_without_its_network_is_told_which_flag_to_add(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    result = run("convert", "w.safetensors", "--to", "onnx", cwd=tmp_path)
    assert result.returncode == 2
    assert "hint: Name the function that builds it: --arch model.py:build" in result.stderr
    (tmp_path / "net.py").write_text("def build(): ...")
    result = run("convert", "w.safetensors", "--arch", "net.py:build", "--to", "onnx", cwd=tmp_path)
    assert result.returncode == 2
    assert "--input 'image:float32[batch,3,224,224]'" in result.stderr


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == "isoform, version 0.1.0\n"
