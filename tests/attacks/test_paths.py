"""Odd places to read from and write to (faults 14, 19 and 21), and what a batch keeps."""

import os
import tarfile
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


@pytest.mark.parametrize("out", ["/sys/exports", "/proc/exports"])
def test_an_output_folder_where_nobody_may_write_is_one_error(folder: Path, out: str) -> None:
    """Tests may run as root, whom a folder's mode does not stop; the kernel's own file systems do."""
    found = isoform("convert", "w.safetensors", *OPTIONS, "--out", out, cwd=folder)
    found.assert_one_line_refusal()
    assert found.code == 4
    assert out in found.stderr
    assert "choose another --out" in found.stderr


@pytest.mark.parametrize("name", ["a" * 252 + ".pt", "\u4e2d" * 84 + ".pt"])
def test_a_name_of_255_bytes_is_the_name_of_its_results(folder: Path, name: str) -> None:
    assert 254 <= len(name.encode()) <= 255
    (folder / "w.safetensors").rename(folder / name)
    found = isoform("convert", name, *OPTIONS, cwd=folder)
    assert found.code == 0, found.stderr
    assert (folder / "exports" / name[:-3] / "torchscript" / "artifact.json").is_file()


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("member", ["../evil", "/etc/evil", "pickle"])
def test_a_tar_is_not_unpacked_whatever_is_in_it(folder: Path, kind: bytes, member: str) -> None:
    info = tarfile.TarInfo(member)
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(folder / "m.pt", "w") as archive:
        archive.addfile(info)
    found = isoform("convert", "m.pt", *OPTIONS, cwd=folder)
    found.assert_one_line_refusal()
    assert "a tar archive: an ambiguous container." in found.stderr
    assert not (folder.parent / "evil").exists()


def test_content_wins_over_the_extension_and_both_are_said(folder: Path) -> None:
    (folder / "w.safetensors").rename(folder / "m.onnx")
    found = isoform("convert", "m.onnx", *OPTIONS, cwd=folder)
    assert found.code == 0, found.stderr
    assert "the extension of m.onnx says ONNX, the content is safetensors" in found.stderr
