"""``isoform convert`` with no source or no target: what is there, what it can become, and what to type."""

import json
from pathlib import Path

import pytest

import smallest_files

NOTHING = (
    "Error: No SOURCE was given, and nothing in this folder can be converted.\n"
    "hint: Name a checkpoint, a model file or a folder: isoform convert PATH --to onnx,tflite\n"
)


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.registry.find_spec", lambda module: module)


@pytest.fixture
def tensorflow_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.registry.find_spec", lambda module: None if module == "tensorflow" else module)


def test_in_a_folder_without_models_it_says_so(answer) -> None:
    Path("README.md").write_text("# nothing here")
    Path("pictures").mkdir()
    assert answer("convert") == ("", NOTHING, 2)


def test_it_says_what_is_in_the_folder_and_what_to_type(answer, everything_installed: None) -> None:
    smallest_files.tflite(Path("model.tflite"))
    smallest_files.torchscript(Path("net.ts"))
    Path("train").mkdir()
    smallest_files.safetensors(Path("train/my w.safetensors"))
    Path("train/net.py").write_text(smallest_files.NETWORK)
    Path("classifier").mkdir()
    Path("classifier/isoform.toml").write_text("[model]")
    smallest_files.safetensors(Path("classifier/weights.safetensors"))
    text = """\
Error: No SOURCE was given. Found in this folder:

  classifier  (folder with an isoform.toml, 69 B)
      isoform export classifier
  model.tflite  (TFLite, 72 B)
      isoform convert model.tflite --to executorch,onnx,openvino,ort,pt2,savedmodel,torchscript
  net.ts  (TorchScript, 240 B)
      isoform convert net.ts --to executorch,onnx,openvino,ort,pt2,savedmodel,tflite
  train/my w.safetensors  (safetensors, 62 B)
      isoform convert 'train/my w.safetensors' --arch train/net.py:build --to executorch,onnx,openvino,ort,pt2,savedmodel,tflite,torchscript

hint: Type one of these commands; with --dry-run it only says what it would do.
"""  # noqa: E501 - one command is one line
    assert answer("convert") == ("", text, 2)


def test_where_nothing_builds_the_network_the_command_says_what_is_missing(answer, everything_installed: None) -> None:
    smallest_files.safetensors(Path("w.safetensors"))
    text = """\
Error: No SOURCE was given. Found in this folder:

  w.safetensors  (safetensors, 62 B)
      isoform convert w.safetensors --arch FILE.py:CALLABLE --to executorch,onnx,openvino,ort,pt2,savedmodel,tflite,torchscript

hint: FILE.py:CALLABLE is the function or class that builds the network.
"""  # noqa: E501 - one command is one line
    assert answer("convert") == ("", text, 2)


def test_only_targets_that_can_be_made_here_are_proposed(answer, tensorflow_missing: None) -> None:
    smallest_files.tflite(Path("model.tflite"))
    _, text, _ = answer("convert")
    assert "isoform convert model.tflite --to executorch,onnx,openvino,ort,pt2,torchscript\n" in text


def test_as_json_it_is_one_document(answer, everything_installed: None) -> None:
    smallest_files.tflite(Path("model.tflite"))
    out, err, code = answer("convert", "--json")
    assert (err, code) == ("", 2)
    command = "isoform convert model.tflite --to executorch,onnx,openvino,ort,pt2,savedmodel,torchscript"
    found = {"path": "model.tflite", "title": "TFLite", "size_bytes": 72, "command": command}
    assert json.loads(out) == {"source": None, "found": [found]}


def test_without_a_target_the_whole_command_is_shown(answer, tensorflow_missing: None) -> None:
    smallest_files.safetensors(Path("w.safetensors"))
    assert answer("convert", "w.safetensors", "--arch", "net.py:build", "--arch-arg", 'size="a b"') == (
        "",
        "Error: No target format was given; w.safetensors (safetensors) can become executorch, onnx, openvino, ort, "
        "pt2, tflite, torchscript, savedmodel.\n"
        "hint: Add --to: isoform convert w.safetensors --arch net.py:build --arch-arg 'size=\"a b\"' "
        "--to executorch,onnx,openvino,ort,pt2,tflite,torchscript\n",
        2,
    )


def test_weights_without_a_network_are_told_what_seems_to_build_it(answer) -> None:
    smallest_files.safetensors(Path("w.safetensors"))
    what = "Error: w.safetensors: holds weights only, not the network.\n"
    assert answer("convert", "w.safetensors", "--to", "onnx") == (
        "",
        f"{what}hint: Name the function that builds it: --arch model.py:build or --arch package.module:Class\n",
        2,
    )
    Path("net.py").write_text(smallest_files.NETWORK)
    assert answer("convert", "w.safetensors", "--to", "onnx") == (
        "",
        f"{what}hint: Name what builds it; this seems to: --arch net.py:build\n",
        2,
    )
