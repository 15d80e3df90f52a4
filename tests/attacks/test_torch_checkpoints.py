"""Checkpoints through ``isoform convert`` and ``inspect`` as a user meets them (faults 1-3, 6, 7, 11, 17, 20-22).

After each: the input is as before, no marker of executed code, nothing under the output folder but logs.
"""

import collections
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from attacks.command import Answer, isoform

NET = """\
from torch import nn
def build():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
"""
OPTIONS = ("--arch", "../net.py:build", "--input", "x:float32[batch,3]", "--to", "torchscript", "--no-verify")


pytestmark = pytest.mark.usefixtures("warm")


class Payload:
    """An object whose pickle calls os.system."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch marker",)


class Broken:
    """An object that PyTorch's own weights-only loader stumbles over."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return collections.namedtuple, (1, 2, 3)


@pytest.fixture
def folder(repository: Path) -> Path:
    (repository / "net.py").write_text(NET)
    return Path(tempfile.mkdtemp(dir=repository))


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def saved(path: Path, found: object, **options: Any) -> Path:
    torch.save(found, path, **options)
    return path


def refused(path: Path, *words: str) -> Answer:
    before = path.read_bytes()
    found = isoform("convert", path.name, *(words or OPTIONS), cwd=path.parent)
    assert path.read_bytes() == before
    assert not (path.parent / "marker").exists()
    found.assert_one_line_refusal()
    left = [file for file in (path.parent / "exports").rglob("*") if ".logs" not in file.parts] or []
    assert [file for file in left if file.is_file()] == []
    return found


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_checkpoint_that_would_run_code_is_refused_with_its_list(folder: Path, options: dict[str, Any]) -> None:
    found = refused(saved(folder / "evil.pt", {"w": Payload()}, **options))
    assert found.code == 4
    assert "evil.pt: holds more than weights; loading it would import and may run: posix.system." in found.stderr
    assert "--allow-pickle" in found.stderr


def test_an_object_that_breaks_the_loader_first_is_no_way_to_an_unsafe_load(folder: Path) -> None:
    found = refused(saved(folder / "evil.pt", [Broken(), Payload()]))
    assert "collections.namedtuple, posix.system" in found.stderr


def test_a_whole_module_is_refused_with_what_it_would_import(folder: Path) -> None:
    found = refused(saved(folder / "whole.pt", network()))
    assert "torch.nn.modules.linear.Linear" in found.stderr


def test_torchscript_is_told_by_its_content(folder: Path) -> None:
    path = folder / "model.safetensors"
    with pytest.warns(DeprecationWarning, match="torch.jit.script"):
        torch.jit.script(network().eval()).save(str(path))
    found = isoform("inspect", path.name, "--json", cwd=folder)
    record = json.loads(found.stdout)
    assert record["format"] == "torchscript"
    assert record["note"] == "the extension of model.safetensors says PyTorch, the content is TorchScript"
    assert record["would_execute"] == ["a TorchScript program, in a child process"]


def test_impossible_indices_of_a_sparse_tensor_are_refused(folder: Path) -> None:
    with torch.sparse.check_sparse_tensor_invariants(False):
        tensor = torch.sparse_coo_tensor(torch.tensor([[5000]]), torch.tensor([1.0]), (4,), check_invariants=False)
    found = refused(saved(folder / "sparse.pt", {"w": tensor}))
    assert found.code == 4
    assert "sparse.pt: " in found.stderr
    assert "size is inconsistent with indices: for dim 0, size is 4 but found index 5000" in found.stderr


def test_missing_extra_and_misshapen_keys_are_named_with_both_shapes(folder: Path) -> None:
    state = network().state_dict()
    state["2.weigth"] = state.pop("2.weight")
    state["0.weight"] = torch.zeros(3, 4)
    found = refused(saved(folder / "bad.pt", state))
    assert "bad.pt does not fit the network; 1 missing: 2.weight; 1 unexpected: 2.weigth" in found.stderr
    assert "1 misshapen: 0.weight [3, 4], the network has [4, 3]" in found.stderr
    assert "'2.weigth' for '2.weight'" in found.stderr


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(folder: Path, value: float) -> None:
    state = network().state_dict()
    state["2.bias"][1] = value
    assert "nan.pt: 1 weights hold NaN or infinities: 2.bias." in refused(saved(folder / "nan.pt", state)).stderr


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, 7])
def test_what_holds_no_weights_is_said_so(folder: Path, content: object) -> None:
    assert "not a state dict" in refused(saved(folder / "m.pt", content)).stderr


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_a_cut_checkpoint_is_refused(folder: Path, options: dict[str, Any], percent: int) -> None:
    path = saved(folder / "m.pt", network().state_dict(), **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    assert "truncated" in refused(path).stderr


def test_names_in_a_file_cannot_write_on_the_terminal(folder: Path) -> None:
    state = {f"{name}\x1b[31m\n::error::<script>": value for name, value in network().state_dict().items()}
    found = refused(saved(folder / "m.pt", state))
    assert "\x1b" not in found.stderr


@pytest.mark.parametrize(
    "name", ["with space.pt", "quo'te\".pt", "gewicht-\u00e4\u4e2d.pt", "{brace}.pt", "a" * 240 + ".pt"]
)
def test_odd_names_of_files_work(folder: Path, name: str) -> None:
    path = saved(folder / name, network().state_dict())
    found = isoform("convert", path.name, *OPTIONS, "--name", "m", cwd=folder)
    assert found.code == 0, found.stderr
    record = json.loads((folder / "exports" / "m" / "torchscript" / "artifact.json").read_text())
    assert record["source"]["path"] == str(path)


def test_what_was_unwrapped_is_said_and_recorded(folder: Path) -> None:
    state = {f"module.{name}": value for name, value in network().state_dict().items()}
    saved(folder / "m.pt", {"epoch": 1, "state_dict": state})
    found = isoform("convert", "m.pt", *OPTIONS, cwd=folder)
    steps = ["took the weights under 'state_dict'", "took 'module.' off 9 names"]
    assert all(step in found.stderr for step in steps)
    record = json.loads((folder / "exports" / "m" / "torchscript" / "artifact.json").read_text())
    assert record["source"]["notes"] == steps


def test_a_whole_module_converts_where_its_owner_allows_it(folder: Path) -> None:
    saved(folder / "whole.pt", {"model": network().half(), "epoch": 1})
    found = isoform("convert", "whole.pt", *OPTIONS[2:], "--allow-pickle", cwd=folder)
    assert found.code == 0, found.stderr
    assert "ran the pickled Sequential under 'model'" in found.stderr
    assert "widened its weights to float32" in found.stderr
