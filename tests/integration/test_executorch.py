"""ExecuTorch: written from an exported program, proved on its Python runtime, its weights read without it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import isoform
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import pt2, torchscript

pytest.importorskip("executorch", reason="not installed: pip install 'isoform[executorch]'")

from isoform.converters import pt2_to_executorch
from isoform.hub.faults import executorch as faults
from isoform.intake import pte_file
from isoform.runtimes import et

pytestmark = pytest.mark.torch

SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3, 8, 8)),),
    (TensorSpec("logits", "float32", ("batch", 5)), TensorSpec("scaled", "float32", ("batch", 4))),
)


class Network(nn.Module):
    """A convolution with a batch normalisation that XNNPACK folds, a layer, and a product that it takes too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.normalisation = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.layer = nn.Linear(4, 5)
        self.scale = nn.Parameter(torch.rand(4) + 0.5)
        nn.init.uniform_(self.normalisation.running_mean)
        nn.init.uniform_(self.normalisation.running_var, 0.5, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.relu(self.normalisation(self.convolution(x))).mean((2, 3))
        return self.layer(features), features * self.scale


def program(module: nn.Module, signature: Signature, folder: Path) -> Artifact:
    path = folder / "program.pt2"
    pt2.write(torchscript.Named(module.eval(), signature), signature, path)
    return Artifact("pt2", path, signature)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(5)
    return Network().eval()


@pytest.fixture(scope="module")
def result(network: nn.Module, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("executorch")
    source = program(network, SIGNATURE, folder)
    [result] = isoform.convert(source.model, "executorch", out=folder / "out")
    return result


def test_an_artifact_is_proved_and_says_that_semantics_were_not_asked(result) -> None:
    record = result.parity["executorch"]
    assert record["verdict"] == "PASS"
    found = {name: gate["verdict"] for name, gate in record["gates"].items()}
    assert found == dict.fromkeys(found, "PASS") | {"semantics": "NOT CHECKED"}
    assert record["gates"]["semantics"]["findings"] == ["not checked: the reference is not in float64"]


def test_what_it_answers_is_what_the_module_does_up_to_the_size_that_memory_is_planned_for(result, network) -> None:
    session = et.load(Artifact("executorch", result.model, SIGNATURE), RunOptions(threads=1))
    assert session.signature.inputs == SIGNATURE.inputs
    for batch in (1, 2, 7, pt2_to_executorch.BATCH_ROOM):
        x = torch.randn(batch, 3, 8, 8)
        found = session.run({"x": x.numpy()})
        with torch.no_grad():
            for name, expected in zip(("logits", "scaled"), network(x), strict=True):
                np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError) as caught:
        session.run({"x": np.zeros((17, 3, 8, 8), np.float32)})
    assert str(caught.value) == "input 0 of shape [17, 3, 8, 8]: memory is planned for [16, 3, 8, 8] at most"
    session.close()


def test_outputs_are_the_callers(result) -> None:
    session = et.load(Artifact("executorch", result.model, SIGNATURE), RunOptions())
    first = session.run({"x": np.ones((2, 3, 8, 8), np.float32)})["logits"]
    before = first.copy()
    session.run({"x": np.zeros((2, 3, 8, 8), np.float32)})
    np.testing.assert_array_equal(first, before)


def test_weights_are_read_from_the_file_and_the_normalisation_is_in_the_kernel(result, network) -> None:
    held = {array.shape: array for array in pte_file.Program(result.model).weights().values()}
    np.testing.assert_array_equal(held[5, 4], network.layer.weight.detach().numpy())
    norm = network.normalisation
    factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().double().numpy()
    kernel = network.convolution.weight.detach().double().numpy() * factor[:, None, None, None]
    np.testing.assert_allclose(held[4, 3, 3, 3], kernel.transpose(0, 2, 3, 1), rtol=1e-6)


def test_every_planted_fault_makes_another_network_and_the_copy_without_one_is_the_same(result, tmp_path: Path) -> None:
    artifact = Artifact("executorch", result.model, SIGNATURE)
    x = {"x": np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)}
    expected = et.load(artifact, RunOptions()).run(x)
    planted = []
    for name, fault in {"none": lambda model, rng: "nothing", **faults.FAULTS}.items():
        model = faults.opened(artifact)
        if fault(model, np.random.default_rng(0)) is None:
            continue
        faults.save(model, tmp_path / "copy.pte")
        found = et.load(Artifact("executorch", tmp_path / "copy.pte", SIGNATURE), RunOptions()).run(x)
        assert all(np.array_equal(found[key], expected[key]) for key in expected) == (name == "none"), name
        planted.append(name)
    assert set(planted) >= {"none", "one weight off by a thousandth", "stale weights", "a zeroed channel"}


class Last(nn.Module):
    """What a recurrent layer gives in the last step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0][:, -1]


def recurrent(module: Last, batch: str | int, folder: Path) -> Artifact:
    width = module.layer.hidden_size * (2 if module.layer.bidirectional else 1)
    signature = Signature(
        (TensorSpec("x", "float32", (batch, "length", 3)),), (TensorSpec("y", "float32", (batch, width)),)
    )
    return program(module, signature, folder)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_take_every_length_at_one_batch_size(tmp_path: Path, kind: type[nn.Module]) -> None:
    torch.manual_seed(6)
    module = Last(kind(3, 4, num_layers=2, batch_first=True, bidirectional=True)).eval()
    source = recurrent(module, 2, tmp_path)
    pt2_to_executorch.convert(source, tmp_path / "model.pte", ConvertOptions())
    session = et.load(Artifact("executorch", tmp_path / "model.pte", source.signature), RunOptions())
    for length in (1, 6, 40, pt2_to_executorch.ROOM):
        x = torch.randn(2, length, 3)
        with torch.no_grad():
            expected = module(x).numpy()
        np.testing.assert_allclose(session.run({"x": x.numpy()})["y"], expected, rtol=1e-4, atol=1e-5)


def test_recurrent_layers_over_batches_of_every_size_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = recurrent(Last(nn.LSTM(3, 4, batch_first=True)), "batch", tmp_path)
    with pytest.raises(IsoformError) as caught:
        pt2_to_executorch.convert(source, tmp_path / "model.pte", ConvertOptions())
    assert caught.value.kind == "frozen-axis"
    assert caught.value.what == (
        "'lstm' is a recurrent layer over a dynamic batch: ExecuTorch keeps its state in memory of one size."
    )
    hint = "Declare the batch as a number: --input 'tokens:int64[1,length]'; lengths stay dynamic."
    assert caught.value.hint == hint
    assert not (tmp_path / "model.pte").exists()


@pytest.mark.parametrize(("options", "kind"), [({"device": "cuda"}, "no-device"), ({"is_float64": True}, "no-float64")])
def test_what_it_cannot_do_it_refuses(result, options: dict, kind: str) -> None:
    with pytest.raises(IsoformError) as caught:
        et.load(Artifact("executorch", result.model, SIGNATURE), RunOptions(**options))
    assert caught.value.kind == kind
