"""HDF5 is looked through in the child before Keras reads it (faults 8, 10 and 11)."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "relu"}}


def network(*layers: dict[str, Any]) -> str:
    inputs = {"class_name": "InputLayer", "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "x"}}
    return json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [inputs, *layers]}})


def written(path: Path, config: str | None, change: Callable[[Any], object] = lambda file: None) -> Path:
    """Return ``path`` with a network of one dense layer as Keras' legacy format has it, changed."""
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = config
        file.attrs["keras_version"] = "2.15.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d"]
        group.create_group("d").attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        group["d/d/kernel:0"] = np.ones((3, 2), np.float32)
        group["d/d/bias:0"] = np.zeros(2, np.float32)
        change(file)
    return path


def refused(path: Path, pool: Pool) -> IsoformError:
    before = path.read_bytes()
    with pytest.raises(IsoformError) as caught:
        from_file(FileRequest(path), pool, path.parent / "work")
    assert path.read_bytes() == before
    assert str(path) in caught.value.what
    return caught.value


@pytest.mark.parametrize("name", ["m.h5", "m.bin"])
def test_an_honest_legacy_network_is_opened_whatever_its_suffix(tmp_path: Path, pool: Pool, name: str) -> None:
    found = from_file(FileRequest(written(tmp_path / name, network(DENSE))), pool, tmp_path / "work")
    assert str(found.artifact.signature.outputs[0]) == "d:float32[batch,2]"


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Lambda", "config": {"name": "d", "function": ["4wEAAAA=", None, None], "safe_mode": False}},
        {"class_name": "TFSMLayer", "config": {"name": "d", "filepath": "elsewhere"}},
        {"class_name": "TorchModuleWrapper", "config": {"name": "d", "module": "gASV"}},
    ],
)
def test_a_layer_that_is_a_program_is_refused_with_what_to_do(
    tmp_path: Path, pool: Pool, layer: dict[str, Any]
) -> None:
    found = refused(written(tmp_path / "m.h5", network(layer)), pool)
    assert found.what == f"{tmp_path / 'm.h5'}: holds a {layer['class_name']} layer, which is a program."
    assert found.hint == "Write it as a layer class, save the model again, and name its module with --arch."


def test_what_a_legacy_configuration_would_import_is_refused(tmp_path: Path, pool: Pool) -> None:
    evil = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": evil}}
    assert "'system' would be imported from 'os'" in refused(written(tmp_path / "m.h5", network(layer)), pool).what


def test_weights_alone_ask_for_their_network(tmp_path: Path, pool: Pool) -> None:
    found = refused(written(tmp_path / "m.h5", None), pool)
    assert found.what == f"{tmp_path / 'm.h5'}: holds weights only, not the network."
    assert "--arch" in found.hint


def external_link(file: Any) -> None:
    file["model_weights/d/out"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file: Any) -> None:
    file["model_weights/d/out"] = h5py.SoftLink("/model_weights/d/d/bias:0")


def external_dataset(file: Any) -> None:
    file.create_dataset("model_weights/d/out", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual_dataset(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("model_weights/d/out", layout)


def shape_bomb(file: Any) -> None:
    file.create_dataset("model_weights/d/out", (1 << 40,), "f4")


def packed_bomb(file: Any) -> None:
    file.create_dataset("model_weights/d/out", data=np.zeros(8 << 20, np.float32), compression="gzip")


CHANGES = {
    external_link: "is a link to somewhere else",
    soft_link: "is a link to somewhere else",
    external_dataset: "is kept in another file",
    virtual_dataset: "is kept in another file",
    shape_bomb: "claims 4398046511104 bytes and has 0",
    packed_bomb: "claims 33554432 bytes",
}


@pytest.mark.parametrize("is_archive", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_what_leads_out_of_the_file_or_fills_memory_is_refused_by_name(
    tmp_path: Path, pool: Pool, change: Callable[[Any], None], is_archive: bool
) -> None:
    path = written(tmp_path / "m.h5", network(DENSE), change)
    if is_archive:
        path = archive(tmp_path / "m.keras", path)
    found = refused(path, pool)
    assert f"'/model_weights/d/out' {CHANGES[change]}" in found.what


def archive(path: Path, weights: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", network(DENSE))
        file.write(weights, "model.weights.h5")
    return path


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_cut_file_is_truncated(tmp_path: Path, pool: Pool, name: str, percent: int) -> None:
    path = written(tmp_path / "m.h5", network(DENSE))
    path = path if name == "m.h5" else archive(tmp_path / name, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    assert "truncated" in refused(path, pool).what
