"""ONNX files that lie (fault 15): refused with one error, or ended at the limit; the child's owner lives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from attacks.mutations import mutations
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

SIX_GIB = 6 << 30


def model(nodes: list[Any] | None = None, weight: Any = None, opset: int = 17, domain: str = "") -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((3, 4), np.float32), "w") if weight is None else weight
    graph = helper.make_graph(
        nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None if nodes else ["n", 4])],
        [weight],
    )
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def external(location: str, offset: str = "0", length: str = "48", dims: tuple[int, ...] = (3, 4)) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    return tensor


def refused(folder: Path, proto: onnx.ModelProto | bytes, pool: Pool) -> IsoformError:
    path = folder / "m.onnx"
    data = proto if isinstance(proto, bytes) else proto.SerializeToString()
    path.write_bytes(data)
    with pytest.raises(IsoformError) as caught:
        from_file(FileRequest(path), pool, folder / "work")
    assert path.read_bytes() == data
    assert caught.value.hint
    assert "\n" not in caught.value.what
    return caught.value


PLACES: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "hard": lambda path: os.link(path.with_name("secret"), path),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "missing": lambda path: None,
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_that_is_no_file_of_its_own_is_refused(tmp_path: Path, pool: Pool, place: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(48))
    PLACES[place](tmp_path / "w.bin")
    assert "w.bin" in refused(tmp_path, model(weight=external("w.bin")), pool).what


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "/dev/zero", "linked/w.bin"])
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, pool: Pool, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(48))
    (folder / "linked").symlink_to(tmp_path)
    assert "outside of its own folder" in refused(folder, model(weight=external(location)), pool).what


@pytest.mark.parametrize(
    "tensor",
    [
        external("w.bin", offset="-1"),
        external("w.bin", offset="4096"),
        external("w.bin", length=str(2**50)),
        external("w.bin", length="4"),
        external("w.bin", dims=(2**62, 2**62)),
        external("w.bin", dims=(-3, 4)),
        onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(3, 4), raw_data=bytes(4)),
        onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(2**62,), raw_data=bytes(4)),
        onnx.TensorProto(name="w", data_type=99, dims=(3, 4), raw_data=bytes(48)),
    ],
)
def test_weights_with_impossible_places_or_sizes_are_refused(
    tmp_path: Path, pool: Pool, tensor: onnx.TensorProto
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(48))
    assert refused(tmp_path, model(weight=tensor), pool).kind not in ("crashed", "timeout", "failed")


def cycle() -> onnx.ModelProto:
    return model([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Add", ["x", "a"], ["b"]),
                  helper.make_node("Add", ["a", "b"], ["y"])])  # fmt: skip


def duplicated() -> onnx.ModelProto:
    found = model()
    found.graph.initializer.add().CopyFrom(numpy_helper.from_array(np.zeros((3, 4), np.float32), "w"))
    return found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (cycle, ""),
        (duplicated, "w"),
        (lambda: model(opset=999), "999"),
        (lambda: model([helper.make_node("Magic", ["x"], ["y"], domain="who.knows")], domain="who.knows"), ""),
    ],
)
def test_graphs_that_make_no_sense_are_refused(
    tmp_path: Path, pool: Pool, make: Callable[[], onnx.ModelProto], words: str
) -> None:
    found = refused(tmp_path, make(), pool)
    assert words in found.what
    assert found.kind not in ("crashed", "timeout", "failed")


def test_a_graph_that_asks_for_all_memory_ends_at_the_limit(tmp_path: Path, pool: Pool) -> None:
    size = helper.make_node("Constant", [], ["s"], value=numpy_helper.from_array(np.array([2**40], np.int64)))
    assert refused(tmp_path, model([size, helper.make_node("ConstantOfShape", ["s"], ["y"])]), pool)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 4, model().SerializeToString()[:-9]])
def test_what_is_no_whole_model_is_refused(tmp_path: Path, pool: Pool, data: bytes) -> None:
    assert refused(tmp_path, data, pool).kind == "damaged"


def test_200_mutations_open_or_are_refused(tmp_path: Path, pool: Pool) -> None:
    path = tmp_path / "m.onnx"
    kinds: set[str] = set()
    for data in mutations(model().SerializeToString(), 200):
        path.write_bytes(data)
        try:
            from_file(FileRequest(path), pool, tmp_path / "work")
        except IsoformError as error:
            kinds.add(error.kind)
    assert not kinds & {"failed", "timeout", "protocol"}
