"""Odd places to read from and write to (faults 14, 19 and 21), and what a batch keeps."""

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from attacks.command import isoform
from isoform.errors import ChildFailed
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Limits, Pool

NET = "from torch import nn\ndef build():\n    return nn.Linear(3, 2)\n"
OPTIONS = ("--arch", "net.py:build", "--input", "x:float32[batch,3]", "--to", "torchscript", "--no-verify")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    tensors = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(tensors, tmp_path / "w.safetensors")
    return tmp_path


def test_a_leading_dash_is_a_file_after_two_dashes(folder: Path) -> None:
    (folder / "w.safetensors").rename(folder / "-w.safetensors")
    found = isoform("convert", *OPTIONS, "--name", "m", "--", "-w.safetensors", cwd=folder)
    assert found.code == 0, found.stderr


def test_a_missing_parent_of_the_output_is_made(folder: Path) -> None:
    found = isoform("convert", "w.safetensors", *OPTIONS, "--out", "a/b/c", cwd=folder)
    assert found.code == 0, found.stderr
    assert (folder / "a" / "b" / "c" / "w" / "torchscript" / "artifact.json").is_file()


def test_an_output_folder_that_is_a_file_is_refused(folder: Path) -> None:
    (folder / "taken").write_text("mine")
    found = isoform("convert", "w.safetensors", *OPTIONS, "--out", "taken", cwd=folder)
    assert found.code == 2
    assert "Traceback" not in found.stderr
    assert (folder / "taken").read_text() == "mine"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_not_opened(folder: Path, make: object) -> None:
    assert callable(make)
    make(folder / "m.pt")
    isoform("convert", "m.pt", *OPTIONS, cwd=folder).assert_one_line_refusal()


@pytest.mark.parametrize("name", ["\u202egnp.pt", "\x1b[31m.pt", "a\nb.pt", "::error::.pt", "<script>.pt"])
def test_a_name_cannot_write_on_the_terminal(folder: Path, name: str) -> None:
    (folder / name.replace("/", "")).write_bytes(b"nonsense")
    found = isoform("convert", name, *OPTIONS, cwd=folder)
    found.assert_one_line_refusal()
    assert "\x1b" not in found.stderr
    assert "\u202e" not in found.stderr


def test_earlier_results_stay_when_a_later_source_is_refused(folder: Path) -> None:
    assert isoform("convert", "w.safetensors", *OPTIONS, "--name", "m", cwd=folder).code == 0
    artifact = folder / "exports" / "m" / "torchscript"
    before = {file.name: file.read_bytes() for file in artifact.iterdir() if file.is_file()}
    (folder / "w.safetensors").write_bytes((folder / "w.safetensors").read_bytes()[:-4])
    isoform("convert", "w.safetensors", *OPTIONS, "--name", "m", cwd=folder).assert_one_line_refusal()
    assert {file.name: file.read_bytes() for file in artifact.iterdir() if file.is_file()} == before


def test_an_endless_loop_ends_at_the_time_limit(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Add", ["v", "one"], ["v2"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", 9, []),
         helper.make_tensor_value_info("v", 1, [1])],
        [helper.make_tensor_value_info("c2", 9, []), helper.make_tensor_value_info("v2", 1, [1])],
    )  # fmt: skip
    weights = [numpy_helper.from_array(np.array(2**62, np.int64), "m"), numpy_helper.from_array(np.array(True), "t"),
               numpy_helper.from_array(np.ones(1, np.float32), "one")]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Loop", ["m", "t", "x"], ["y"], body=body)], "g",
        [helper.make_tensor_value_info("x", 1, [1])], [helper.make_tensor_value_info("y", 1, [1])], weights,
    )  # fmt: skip
    path = tmp_path / "loop.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    with Pool(tmp_path / "logs", Limits(timeout_s=4)) as pool:
        begin = time.monotonic()
        with pytest.raises(ChildFailed) as caught:
            from_file(FileRequest(path), pool, tmp_path / "work")
        assert time.monotonic() - begin < 4 + 2 + 1
    assert caught.value.kind == "timeout"
