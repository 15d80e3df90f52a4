"""ONNX files that lie (fault 15): refused with one error, or ended at the limit; the child's owner lives."""

import itertools
import os
import stat
from collections.abc import Callable, Iterator
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
    "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
    "folder": Path.mkdir,
    "missing": lambda path: None,
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_that_is_no_file_of_its_own_is_refused(tmp_path: Path, pool: Pool, place: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(48))
    try:
        PLACES[place](tmp_path / "w.bin")
    except PermissionError:
        pytest.skip("only root may make a device")
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
        (lambda: model(opset=999), "opset 999 is not one of 1 to "),
        (lambda: model([helper.make_node("Magic", ["x"], ["y"], domain="who.knows")], domain="who.knows"), ""),
    ],
)
def test_graphs_that_make_no_sense_are_refused(
    tmp_path: Path, pool: Pool, make: Callable[[], onnx.ModelProto], words: str
) -> None:
    found = refused(tmp_path, make(), pool)
    assert words in found.what
    assert found.kind not in ("crashed", "timeout", "failed")


def sizes(*numbers: int) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["s"], value=numpy_helper.from_array(np.array(numbers, np.int64)))


BOMBS = {
    "ConstantOfShape": [sizes(2**40), helper.make_node("ConstantOfShape", ["s"], ["y"])],
    "Expand": [sizes(2**38, 1, 1), helper.make_node("Expand", ["x", "s"], ["y"])],
    "Tile": [sizes(2**20, 2**20), helper.make_node("Tile", ["x", "s"], ["y"])],
    "Pad": [sizes(0, 0, 2**30, 2**12), helper.make_node("Pad", ["x", "s"], ["y"])],
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_graph_that_asks_for_all_memory_ends_at_the_limit(tmp_path: Path, pool: Pool, name: str) -> None:
    assert refused(tmp_path, model(BOMBS[name]), pool).kind in ("does-not-run", "load", "out-of-memory")


def nested(depth: int) -> bytes:
    """Return a model with an If in an If, ``depth`` of them: protobuf itself writes no message so deep."""
    graph = field(1, helper.make_node("Identity", ["x"], ["y"]).SerializeToString()) + field(2, b"g")
    for _ in range(depth):
        branch = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(1, b"x") + field(2, b"y") + field(4, b"If") + field(5, branch)) + field(2, b"g")
    return b"\x08\x09" + field(7, graph) + field(8, b"\x10\x11")


def field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message."""
    size, length = b"", len(content)
    while length > 0x7F:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def recursive() -> onnx.ModelProto:
    """Return a model with a function that calls itself."""
    found = model([helper.make_node("F", ["x"], ["y"], domain="own")], domain="own")
    call = helper.make_node("F", ["a"], ["b"], domain="own")
    found.functions.append(helper.make_function("own", "F", ["a"], ["b"], [call], [helper.make_opsetid("own", 1)]))
    return found


def chain(length: int) -> onnx.ModelProto:
    names = ["x", *(f"v{place}" for place in range(length - 1)), "y"]
    return model([helper.make_node("Sin", [one], [two]) for one, two in itertools.pairwise(names)])


def test_branches_deeper_than_protobuf_goes_are_refused(tmp_path: Path, pool: Pool) -> None:
    assert refused(tmp_path, nested(90), pool).kind == "damaged"


def test_a_function_that_calls_itself_is_refused(tmp_path: Path, pool: Pool) -> None:
    found = refused(tmp_path, recursive(), pool)
    assert found.what == f"{tmp_path / 'm.onnx'}: the function 'own.F' calls itself, directly or by way of others."


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool with the limits that a command has."""
    with Pool(tmp_path_factory.mktemp("logs")) as pool:
        yield pool


def test_a_very_long_chain_of_operators_opens(tmp_path: Path, roomy: Pool) -> None:
    onnx.save(chain(100_000), tmp_path / "m.onnx")
    found = from_file(FileRequest(tmp_path / "m.onnx"), roomy, tmp_path / "work")
    assert str(found.artifact.signature.outputs[0]) == "y:float32[n,3]"


def test_weights_that_lie_behind_four_gigabytes_are_read(tmp_path: Path, roomy: Pool) -> None:
    offset = 5 << 30
    with (tmp_path / "w.bin").open("wb") as file:  # a hole, which takes no room on the disk
        file.seek(offset)
        file.write(np.full((3, 4), 2, np.float32).tobytes())
    path = tmp_path / "m.onnx"
    onnx.save(model(weight=external("w.bin", offset=str(offset))), path)
    found = from_file(FileRequest(path), roomy, tmp_path / "work")
    assert str(found.artifact.signature.outputs[0]) == "y:float32[n,4]"


@pytest.mark.parametrize("data", [b"hello", bytes(range(256)) * 4])
def test_what_is_no_model_is_refused(tmp_path: Path, pool: Pool, data: bytes) -> None:
    assert refused(tmp_path, data, pool).kind == "damaged"


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_a_cut_model_is_truncated(tmp_path: Path, pool: Pool, percent: int) -> None:
    data = model().SerializeToString()
    assert "truncated" in refused(tmp_path, data[: len(data) * percent // 100], pool).what


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, pool: Pool, value: float) -> None:
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    weight[1, 1] = value
    assert refused(tmp_path, model(weight=numpy_helper.from_array(weight, "w")), pool).what == (
        "m.onnx: 1 weights hold NaN or infinities: w."
    )
    from_file(FileRequest(tmp_path / "m.onnx", allow_nonfinite=True), pool, tmp_path / "work")


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
