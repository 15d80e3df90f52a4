"""The command line as a script meets it: text, exit codes, JSON."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import smallest_files
from isoform import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(answer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return `answer`, in the folder of the repository unless another is said."""

    def in_folder(*words: str, cwd: Path = ROOT) -> Any:
        monkeypatch.chdir(cwd)
        return answer(*words)

    return in_folder


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(run, name: str) -> None:
    result = run(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: isoform {name}")
    assert f"isoform {name}" in result.out.split("Options:")[1]


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
        (["report", "exports", "--turns", "README.md"], 2, "hint: Name that run: --before FOLDER"),
    ],
)
def test_a_wrong_request_is_one_line_with_a_hint(run, words: list[str], code: int, text: str) -> None:
    result = run(*words)
    assert result.code == code, result.err
    assert text in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_routes_as_json_is_one_document(run) -> None:
    result = run("routes", "keras", "tflite", "--json")
    document = json.loads(result.out)
    assert document["routes"][0]["converters"] == ["keras_to_onnx", "onnx_to_tflite"]


def test_routes_as_text_name_the_converters(run) -> None:
    first, second = run("routes", "torch", "tflite").out.splitlines()[:2]
    assert first == "1. torch -> onnx -> tflite   (torch_to_onnx, onnx_to_tflite)"
    assert second == "2. torch -> onnx (traced) -> tflite   (torch_to_onnx_traced, onnx_to_tflite)"


def test_a_checkpoint_is_told_which_inputs_to_declare(run, tmp_path: Path) -> None:
    smallest_files.safetensors(tmp_path / "w.safetensors")
    (tmp_path / "net.py").write_text("import torch\ndef build(): return torch.nn.Linear(128, 10)")
    result = run("convert", "w.safetensors", "--arch", "net.py:build", "--to", "onnx", cwd=tmp_path)
    assert result.code == 2
    assert result.err.partition("\n")[2] == (
        "Error: w.safetensors: PyTorch does not say what its inputs are.\n"
        "hint: Add --input 'input:float32[batch,128]' ('input' is read by Linear(128, 10); the network runs on this; "
        "a word is a dynamic dimension).\n"
    )


def test_the_version_is_the_packages(run) -> None:
    assert run("--version").out == "isoform, version 0.1.0\n"


def test_the_module_runs_as_a_program_and_gives_its_exit_code() -> None:
    words = [sys.executable, "-P", "-m", "isoform", "frobnicate"]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: There is no command 'frobnicate'.")
    assert ended.stdout == ""
