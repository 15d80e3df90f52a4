"""Odd places to read from and write to (faults 14, 19 and 21), and what a batch keeps."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from attacks.command import isoform

NET = "from torch import nn\ndef build():\n    return nn.Linear(3, 2)\n"
OPTIONS = ("--arch", "../net.py:build", "--input", "x:float32[batch,3]", "--to", "torchscript", "--no-verify")

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture
def folder(repository: Path) -> Path:
    (repository / "net.py").write_text(NET)
    folder = Path(tempfile.mkdtemp(dir=repository))
    tensors = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(tensors, folder / "w.safetensors")
    return folder


def test_a_leading_dash_is_a_file_after_two_dashes(folder: Path) -> None:
    (folder / "w.safetensors").rename(folder / "-w.safetensors")
    found = isoform("convert", *OPTIONS, "--name", "m", "--", "-w.safetensors", cwd=folder)
    assert found.code == 0, found.stderr


def test_a_missing_parent_of_the_output_is_made(folder: Path) -> None:
    found = isoform("convert", "w.safetensors", *OPTIONS, "--out", str(folder / "a/b/c"), cwd=folder)
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
