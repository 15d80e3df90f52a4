"""TorchScript and .pt2 as sources: control flow kept or refused, archives that could run code refused unopened."""

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
from torch import nn

from isoform import hub
from isoform.converters import pt2_to_onnx, torch_to_pt2, torchscript_to_onnx, torchscript_to_onnx_scripted
from isoform.core.artifact import Architecture, Artifact
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import pt2_archive
from isoform.intake.container import identify
from isoform.runtimes import torch_export

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)
        self.b = nn.Linear(4, 3)

    def forward(self, x):
        if bool(x.sum() > 2):  # noqa: SIM108 - TorchScript wants the statement
            y = self.a(x)
        else:
            y = self.b(x)
        return y


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.output = nn.Linear(5, 6)

    def forward(self, x, scale: float = 2.0):
        y = self.output(self.lstm(x)[0])
        if y.dim() == 3:
            y = y * scale
        return {"last": y[:, -1], "all": y}


CODE = """
from torch import nn
def build():
    pooling = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), *pooling)
"""
IMAGES = Signature(
    (TensorSpec("image", "float32", ("batch", 3, "height", "width")),), (TensorSpec("scores", "float32", ("batch", 4)),)
)
BRANCHES = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))


def scripted(module: nn.Module, path: Path, signature: Signature) -> Artifact:
    torch.jit.script(module.eval()).save(path)
    return Artifact("torchscript", path, signature)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Artifact]:
    """Return a network and its .pt2 file."""
    folder = tmp_path_factory.mktemp("pt2")
    (folder / "net.py").write_text(CODE)
    scope: dict = {}
    exec(CODE, scope)
    module = scope["build"]().eval()
    safetensors.torch.save_file(module.state_dict(), folder / "w.safetensors")
    source = Artifact("torch", folder / "w.safetensors", IMAGES, Architecture(folder, "net.py:build"))
    torch_to_pt2.convert(source, folder / "model.pt2", ConvertOptions())
    return module, Artifact("pt2", folder / "model.pt2", IMAGES)


def test_branches_and_their_weights_are_kept(tmp_path: Path) -> None:
    module = Branches()
    source = scripted(module, tmp_path / "model.ts", BRANCHES)
    torchscript_to_onnx_scripted.convert(source, tmp_path / "model.onnx", ConvertOptions())
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert [node.op_type for node in graph.node].count("If") == 1
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for x in (torch.full((3, 4), 1.0), torch.full((1, 4), -1.0)):
        [found] = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(found, module(x).detach(), rtol=1e-5, atol=1e-6)


def test_a_decision_by_values_is_refused_where_it_would_be_frozen(tmp_path: Path) -> None:
    source = scripted(Branches(), tmp_path / "model.ts", BRANCHES)
    with pytest.raises(IsoformError) as caught:
        torchscript_to_onnx.convert(source, tmp_path / "model.onnx", ConvertOptions())
    assert caught.value.kind == "control-flow"
    assert "test_torch_programs.py" in caught.value.what
    assert not (tmp_path / "model.onnx").exists()


def test_a_scripted_program_is_carried_out_with_its_defaults_names_and_weights() -> None:
    module = Straight().eval()
    model = hub.from_torchscript(torch.jit.script(module), {"x": torch.rand(2, 5, 4)}, {"x": {0: "batch", 1: "length"}})
    assert [value.name for value in model.graph.outputs] == ["last", "all"]
    large = {name for name, value in model.graph.initializers.items() if value.const_value.size > 24}
    assert large <= set(module.state_dict())
    assert "lstm.weight_hh_l0" in large


def test_a_file_that_is_no_torchscript_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ts").write_bytes(b"not a zip")
    with pytest.raises(IsoformError, match="libtorch does not open model.ts"):
        hub.from_torchscript(tmp_path / "model.ts", {"x": torch.rand(2)})


def test_a_pt2_file_is_known_by_its_content_and_runs_at_every_size(program) -> None:
    module, artifact = program
    assert identify(artifact.model.rename(artifact.model.with_suffix(".zip"))).format == "pt2"
    artifact.model.with_suffix(".zip").rename(artifact.model)
    session = torch_export.load(artifact, RunOptions())
    assert [str(spec) for spec in session.signature.inputs] == ["image:float32[batch,3,image_2,image_3]"]
    for shape in ((1, 3, 5, 9), (4, 3, 8, 2)):
        image = torch.randn(shape)
        found = session.run({"image": image.numpy()})["scores"]
        np.testing.assert_allclose(found, module(image).detach(), rtol=1e-5, atol=1e-6)
    session.close()


def test_a_pt2_file_goes_to_onnx_with_its_dynamic_sizes(program, tmp_path: Path) -> None:
    module, artifact = program
    pt2_to_onnx.convert(artifact, tmp_path / "model.onnx", ConvertOptions())
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    image = torch.randn(3, 3, 6, 10)
    [found] = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(found, module(image).detach(), rtol=1e-5, atol=1e-6)


def altered(source: Path, target: Path, changes: dict[str, bytes]) -> Path:
    """Write ``source`` again, members by their name behind the first folder replaced or added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            new.writestr(name, changes.pop(name.partition("/")[2], old.read(name)))
        for name, content in changes.items():
            new.writestr(f"{root}/{name}", content)
    return target


class Payload:
    def __reduce__(self):
        return print, ("run",)


def test_an_archive_that_could_run_code_is_refused_unopened(program, tmp_path: Path) -> None:
    path = program[1].model
    with zipfile.ZipFile(path) as archive:
        text = next(archive.read(name) for name in archive.namelist() if name.endswith("models/model.json"))
    torch.save({"inputs": Payload()}, tmp_path / "inputs.pt")
    call = text.replace(b"torch.ops.aten.relu.default", b"torch.hub.load")
    size = text.replace(b"Symbol('s", b"__import__('os').system('s", 1)
    assert call != text
    assert size != text
    attacks = {
        "'data/sample_inputs/model.pt' holds more than tensors": {
            "data/sample_inputs/model.pt": (tmp_path / "inputs.pt").read_bytes()
        },
        "'data/constants/custom_obj_0' is pickled": {"data/constants/custom_obj_0": b""},
        "'data/aotinductor/model/run.so' is compiled code": {"data/aotinductor/model/run.so": b""},
        "it calls 'torch.hub.load', which is no operator": {"models/model.json": call},
        "is more than arithmetic": {"models/model.json": size},
        "'x' is pickled": {
            "data/constants/model_constants_config.json": json.dumps({"config": {"x": {"use_pickle": True}}}).encode()
        },
    }
    for found, changes in attacks.items():
        with pytest.raises(IsoformError) as caught:
            pt2_archive.opened(altered(path, tmp_path / "attack.pt2", changes))
        assert caught.value.kind == "unsafe-archive"
        assert found in caught.value.what


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(IsoformError, match="not a whole .pt2 archive"):
        pt2_archive.opened(tmp_path / "model.pt2")


def test_an_exported_program_in_memory_goes_to_onnx() -> None:
    exported = torch.export.export(nn.Linear(3, 2).eval(), (torch.rand(2, 3),))
    model = hub.from_exported_program(exported)
    assert set(model.graph.initializers) == {"weight", "bias"}
    assert [value.name for value in model.graph.outputs] == ["output"]
