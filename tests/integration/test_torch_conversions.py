"""PyTorch to ONNX, PyTorch to TorchScript and ONNX to TorchScript on small networks, each judged in another runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import safetensors.torch
import torch

from isoform.converters import onnx_to_torchscript, torch_to_onnx, torch_to_torchscript
from isoform.core.artifact import Architecture, Artifact
from isoform.core.matching import match
from isoform.core.protocols import ConvertOptions, Perturbation, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.emitters import torch as emitter
from isoform.runtimes import torch_eager, torch_jit

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

CODE = '''
import torch
from torch import nn

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 6)
        self.lstm1 = nn.LSTM(6, 5, batch_first=True)
        self.lstm2 = nn.LSTM(5, 4, batch_first=True)
        self.output = nn.Linear(4, 1)
    def forward(self, tokens):
        states, _ = self.lstm1(self.embedding(tokens))
        states, _ = self.lstm2(states)
        return torch.sigmoid(self.output(states[:, -1]))

class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(3, 2)
    def forward(self, image):
        return self.output(image) * int(image.shape[0])

def words():
    return Words()

def images():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 5), nn.Softmax(dim=-1),
    )

def frozen():
    return Frozen()
'''  # fmt: skip
WORDS = Signature(
    (TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=50),),
    (TensorSpec("probability", "float32", ("batch", 1)),),
)
IMAGES = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 8, 8), layout="NCHW"),),
    (TensorSpec("probabilities", "float32", ("batch", 5)),),
)
FROZEN = Signature(
    (TensorSpec("image", "float32", ("batch", 3)),), (TensorSpec("scores", "float32", ("batch", 2)),)
)  # fmt: skip
SIGNATURES = {"words": WORDS, "images": IMAGES, "frozen": FROZEN}
NETWORKS = ("words", "images")
SIZES = ((1, 1), (3, 7), (2, 13))


def artifact(folder: Path, name: str) -> Artifact:
    """Return a source with no weight left at zero or one, where a fault would hide."""
    (folder / "net.py").write_text(CODE)
    source = Artifact("torch", folder / f"{name}.safetensors", SIGNATURES[name], Architecture(folder, f"net.py:{name}"))
    scope: dict = {}
    exec(CODE, scope)
    torch.manual_seed(1)
    module = scope[name]()
    state = module.state_dict()
    for tensor in state.values():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)
    safetensors.torch.save_file(state, source.model)
    return source


def inputs(name: str, batch: int, length: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch)
    if name == "words":
        return {"tokens": rng.integers(0, 50, (batch, length))}
    spec = SIGNATURES[name].inputs[0]
    return {"image": rng.random(spec.sizes({"batch": batch})).astype(np.float32)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Artifact, Artifact]]:
    """Return, for each network, its source and its ONNX file."""
    found = {}
    for name in NETWORKS:
        folder = tmp_path_factory.mktemp(name)
        source = artifact(folder, name)
        torch_to_onnx.convert(source, folder / "model.onnx", ConvertOptions())
        found[name] = source, Artifact("onnx", folder / "model.onnx", source.signature)
    return found


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sizes", SIZES)
def test_onnx_runtime_answers_as_pytorch_does(exported, name: str, sizes: tuple[int, int]) -> None:
    source, file = exported[name]
    case = inputs(name, *sizes)
    [wanted] = torch_eager.load(source, RunOptions()).run(case).values()
    [found] = onnxruntime.InferenceSession(file.model).run(None, case)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_names_and_dynamic_dimensions_of_the_signature_are_in_the_file(exported) -> None:
    model = onnx.load(exported["words"][1].model)
    [value] = model.graph.input
    assert value.name == "tokens"
    assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch", "length"]
    assert [value.name for value in model.graph.output] == ["probability"]


def test_a_dynamic_lstm_stays_one_operator_a_layer(exported) -> None:
    operators = [node.op_type for node in onnx.load(exported["words"][1].model).graph.node]
    assert operators.count("LSTM") == 2
    assert not {"Loop", "Scan", "Sigmoid"} & set(operators[:-1])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_the_onnx_file(exported, name: str) -> None:
    source, file = exported[name]
    tensors = {
        str(value.name): value.const_value.numpy() for value in graph.load(file.model).graph.initializers.values()
    }  # fmt: skip
    hows = {entry.parameter: entry.how for entry in match(torch_eager.weights(source), tensors)}
    assert {how for parameter, how in hows.items() if "lstm" not in parameter} == {"exact"}
    assert "unexplained" not in hows.values()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sizes", SIZES)
def test_torchscript_from_onnx_keeps_every_size_dynamic(exported, tmp_path, name: str, sizes: tuple[int, int]) -> None:
    source, file = exported[name]
    onnx_to_torchscript.convert(file, tmp_path / "model.ts", ConvertOptions())
    session = torch_jit.load(Artifact("torchscript", tmp_path / "model.ts", source.signature), RunOptions())
    case = inputs(name, *sizes)
    [wanted] = torch_eager.load(source, RunOptions()).run(case).values()
    [found] = session.run(case).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_torchscript_from_onnx_keeps_the_names_of_weights(exported, tmp_path) -> None:
    _, file = exported["images"]
    onnx_to_torchscript.convert(file, tmp_path / "model.ts", ConvertOptions())
    names = set(torch.jit.load(tmp_path / "model.ts").state_dict())
    assert {"module.0.weight", "module.1.running_mean", "module.5.bias"} <= names


@pytest.mark.parametrize("name", NETWORKS)
def test_the_emitted_module_in_float64_equals_the_source_in_float64(exported, name: str) -> None:
    source, file = exported[name]
    case = {key: array.astype(np.float64) if array.dtype.kind == "f" else array
            for key, array in inputs(name, 3, 7).items()}  # fmt: skip
    [wanted] = torch_eager.load(source, RunOptions(is_float64=True)).run(case).values()
    module = emitter.emit(ir.load(file.model)).double()
    found = module(*map(torch.from_numpy, case.values()))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12, atol=1e-13)


def test_a_size_frozen_while_tracing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        torch_to_torchscript.convert(artifact(tmp_path, "frozen"), tmp_path / "model.ts", ConvertOptions())
    assert caught.value.kind == "frozen-axis"
    assert not (tmp_path / "model.ts").exists()


def test_missing_unexpected_and_misshapen_weights_are_all_named(tmp_path: Path) -> None:
    source = artifact(tmp_path, "frozen")
    safetensors.torch.save_file({"output.weight": torch.zeros(2, 4), "other": torch.zeros(1)}, source.model)
    with pytest.raises(IsoformError) as caught:
        torch_eager.load(source, RunOptions())
    assert str(caught.value) == (
        "frozen.safetensors does not fit the network; 1 missing: output.bias; 1 unexpected: other; "
        "1 misshapen: output.weight [2, 4], the network has [2, 3]."
    )


def test_a_perturbation_repeats_with_its_seed_and_stays_within_its_magnitude(tmp_path: Path) -> None:
    source = artifact(tmp_path, "images")
    case = {key: array.astype(np.float64) for key, array in inputs("images", 2, 0).items()}

    def answer(perturbation: Perturbation | None) -> np.ndarray:
        options = RunOptions(is_float64=True, perturbation=perturbation)
        return torch_eager.load(source, options).run(case)["probabilities"]

    first, again, other = (answer(Perturbation(seed, 2.0**-24)) for seed in (1, 1, 2))
    exact = answer(None)
    np.testing.assert_array_equal(first, again)
    assert 0 < np.abs(first - exact).max() < 1e-5
    assert np.abs(first - other).max() > 0
