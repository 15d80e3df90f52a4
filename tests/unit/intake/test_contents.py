"""What a file holds is read from its bytes; nothing in it runs."""

import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

from isoform.intake.container import identify
from isoform.intake.contents import described
from isoform.intake.tensor_list import ListedTensor, listed


class Payload:
    """An object whose pickle calls os.system."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def checkpoint(path: Path, found: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps(found, 2))
    return path


def test_tensors_of_safetensors_are_counted_by_precision(tmp_path: Path) -> None:
    header = json.dumps({
        "w": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
        "n": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
    }).encode()  # fmt: skip
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(20))
    assert listed(path) == [ListedTensor("w", "float16", (2, 3)), ListedTensor("n", "int64", ())]
    found = described(identify(path))
    assert (found["tensors"], found["parameters"]) == (2, 7)
    assert found["precision"] == {"float16": 6, "int64": 1}
    assert found["would_execute"] == []


def test_what_a_checkpoint_would_execute_is_listed_and_not_done(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "m.pt", OrderedDict(w=Payload(tmp_path / "marker")))
    assert described(identify(path))["would_execute"] == ["posix.system"]
    assert not (tmp_path / "marker").exists()


def test_operators_of_a_torchscript_program_are_those_that_its_code_calls(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "m.pt", {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/code/a.py", "x = torch.conv2d(a)\ny = ops.prim.NumToTensor(torch.relu(torch.relu(x)))\n")
    found = described(identify(path))
    assert found["operators"] == {"conv2d": 1, "prim.NumToTensor": 1, "relu": 2}
    assert found["would_execute"] == ["a TorchScript program, in a child process"]


def test_layers_and_inputs_of_a_keras_archive_come_from_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "x"}},
        {"class_name": "Lambda", "config": {}},
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}}))
        archive.writestr("metadata.json", "{}")
    found = described(identify(path))
    assert found["operators"] == {"Functional": 1, "InputLayer": 1, "Lambda": 1}
    assert found["would_execute"] == ["Lambda"]
    assert found["signature"]["inputs"][0]["name"] == "x"
