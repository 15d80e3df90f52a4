"""200 mutations of a file of each container: opened, or refused with one of our errors; never anything else."""

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from attacks.contract import held, opened
from attacks.mutations import inside, mutations
from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError
from isoform.intake.container import admit, identify
from isoform.intake.contents import described
from isoform.intake.source import FileRequest
from isoform.isolation import Pool

COUNT = 200
INPUT = [TensorSpec.parse("x:float32[batch,3]")]
LEFT_TO_CHANCE = {"crashed", "timeout", "out-of-memory", "protocol", "failed"}
"""What would mean that a loader was believed where it should not have been."""
NET = "from torch import nn\ndef build():\n    return nn.Linear(3, 4)\n"


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 4).state_dict()


def of_torch(**options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(state(), file, **options)
    return file.getvalue()


def torchscript() -> bytes:
    file = io.BytesIO()
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 4).eval(), torch.zeros(1, 3)), file)
    return file.getvalue()


def pt2() -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(3, 4).eval(), (torch.zeros(1, 3),)), file)
    return file.getvalue()


def keras() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(800))
    return file.getvalue()


def onnx() -> bytes:
    return b"\x08\x09\x3a\x82\x01" + b"\x12\x7f" + b"g" * 127 + b"\x00" * 1 + b"\x42\x02\x10\x11"


def openvino() -> bytes:
    constant = (
        '<layer id="1" name="w" type="Const"><data element_type="f32" shape="2, 2" offset="0" size="16"/></layer>'
    )
    return f'<?xml version="1.0"?>\n<net name="n" version="11"><layers>{constant}</layers></net>'.encode()


CONTAINERS: dict[str, Callable[[], bytes]] = {
    "zip.pt": of_torch,
    "legacy.pt": lambda: of_torch(_use_new_zipfile_serialization=False),
    "weights.safetensors": lambda: safetensors.torch.save(state()),
    "program.ts": torchscript,
    "program.pt2": pt2,
    "network.keras": keras,
    "graph.onnx": onnx,
    "graph.xml": openvino,
    "program.pte": lambda: b"\x3c\x00\x00\x00ET12eh00" + bytes(range(200)),
    "graph.ort": lambda: b"\x1c\x00\x00\x00ORTM" + bytes(range(200)),
    "graph.tflite": lambda: b"\x1c\x00\x00\x00TFL3" + bytes(range(200)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_intake_opens_or_refuses(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    refused = 0
    for data in mutations(CONTAINERS[name](), COUNT):
        path.write_bytes(data)
        try:
            found = identify(path)
            admit(found)
            described(found)
        except IsoformError as error:
            assert str(path) in error.what  # noqa: PT017
            assert error.hint  # noqa: PT017
            refused += 1
        assert path.read_bytes() == data
    assert refused


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "weights.safetensors"])
def test_a_checkpoint_loads_or_is_refused_and_the_child_lives(
    tmp_path: Path, pool: Pool, repository: Path, name: str
) -> None:
    (repository / "linear.py").write_text(NET)
    path = tmp_path / name
    path.write_bytes(CONTAINERS[name]())
    request = FileRequest(path, f"{repository}/linear.py:build", None, INPUT)
    spoiled = ({path: data} for data in mutations(path.read_bytes(), COUNT, seed=1))
    assert not set(opened(request, spoiled, pool, tmp_path / "work")) & LEFT_TO_CHANCE


def test_a_checkpoint_in_shards_loads_or_is_refused(tmp_path: Path, pool: Pool, repository: Path) -> None:
    (repository / "linear.py").write_text(NET)
    shards = {f"{name}.safetensors": {name: tensor} for name, tensor in state().items()}
    for name, tensors in shards.items():
        safetensors.torch.save_file(tensors, tmp_path / name)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: f"{name}.safetensors" for name in state()}}))
    request = FileRequest(tmp_path, f"{repository}/linear.py:build", None, INPUT)
    files = [index, *(tmp_path / name for name in shards)]
    each = zip(*(({file: data} for data in mutations(file.read_bytes(), COUNT // 3)) for file in files), strict=True)
    spoiled = (changes for group in each for changes in group)
    assert not set(opened(request, spoiled, pool, tmp_path.with_name("work"))) & LEFT_TO_CHANCE


PROGRAMS = {"program.ts": INPUT, "program.pt2": []}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_loads_or_is_refused(tmp_path: Path, pool: Pool, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTAINERS[name]())
    kinds = opened(FileRequest(path, inputs=PROGRAMS[name]), spoiled(path), pool, tmp_path / "work")
    assert kinds["opened"]
    assert not set(kinds) & LEFT_TO_CHANCE


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_command_on_a_spoiled_program_holds_the_contract(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTAINERS[name]())
    words = [word for spec in PROGRAMS[name] for word in ("--input", str(spec))]
    held(path, itertools.islice(spoiled(path), 0, None, COUNT // 8), *words, "--to", "onnx", "--no-verify")


def spoiled(path: Path) -> Iterator[dict[Path, bytes]]:
    """Yield the archive changed anywhere, then in its members, their checksums right."""
    data = path.read_bytes()
    for changed in itertools.chain(mutations(data, COUNT // 4, seed=1), inside(data, COUNT - COUNT // 4)):
        yield {path: changed}
