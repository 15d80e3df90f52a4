"""litert-torch as one more way to TFLite: after our own, proved like them, and refused for dynamic shapes."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from isoform import convert, registry, routes

NETWORK = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 5)
    def forward(self, image, ids):
        return {"logits": self.head(self.stem(image).mean((2, 3))), "next": ids + 1}
def build():
    return Net()
"""
OTHERS = ("torch_to_onnx", "torch_to_onnx_traced", "torch_to_pt2", "torch_to_torchscript")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch = pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(NETWORK)
    names: dict[str, object] = {}
    exec(NETWORK, names)
    module = names["build"]()
    for tensor in [*module.parameters(), module.stem[1].running_mean]:
        torch.nn.init.normal_(tensor, std=0.5)
    torch.save(module.state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt"


def test_a_folded_batch_normalisation_is_explained_without_a_graph_on_the_way(checkpoint: Path, tmp_path: Path) -> None:
    if registry.missing(registry.converter("torch_to_tflite")):
        pytest.skip("litert-torch is not installed: it is an extra of 1.1 GB")
    inputs = ["image:float32[2,3,12,12]", "ids:int64[2,7]"]
    (result,) = convert(
        checkpoint,
        to=["tflite"],
        arch=f"{tmp_path / 'net.py'}:build",
        inputs=inputs,
        avoid=OTHERS,
        out=tmp_path / "out",
    )
    assert (result.status, result.route) == ("passed", ("torch_to_tflite",))


def test_a_dynamic_dimension_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    if registry.missing(registry.converter("torch_to_tflite")):
        pytest.skip("litert-torch is not installed: it is an extra of 1.1 GB")
    inputs = ["image:float32[batch,3,12,12]", "ids:int64[batch,7]"]
    (result,) = convert(
        checkpoint,
        to=["tflite"],
        arch=f"{tmp_path / 'net.py'}:build",
        inputs=inputs,
        avoid=OTHERS,
        out=tmp_path / "out",
    )
    assert result.status == "failed"
    assert "fixed shapes only, and batch is dynamic" in str(result.error)


def test_it_is_listed_after_our_own_ways_with_what_installs_it() -> None:
    found = routes.ranked("torch", "tflite")
    place = [route.names for route in found].index(("torch_to_tflite",))
    assert place >= 3
    lacking = () if find_spec("litert_torch") else ("pip install 'isoform[litert-torch]'",)
    assert found[place].missing == lacking


def test_no_route_goes_on_from_its_file() -> None:
    found = [route.names for target in ("onnx", "savedmodel") for route in routes.ranked("torch", target)]
    assert not [names for names in found if "torch_to_tflite" in names]
