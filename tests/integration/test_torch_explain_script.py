"""TorchScript files asked themselves: their tensors are those of the module, and the operator with a fault is named."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import isoform
from isoform.core import cases as case_files
from isoform.core.artifact import CASES_NAME, Artifact
from isoform.core.protocols import RunOptions, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.divergence.answer import of_execution
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.moments import moments
from isoform.hub.divergence.script_file import ScriptFile
from isoform.hub.faults import torchscript as faults
from isoform.isolation import Pool
from isoform.jobs.explain_own import stopping
from isoform.runtimes import torch_jit
from isoform.stages import explain
from rounded import Rounding

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
"""PyTorch counts TorchScript among what is past."""
SIGNATURE = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 8, 8)),),
    (TensorSpec("scores", "float32", ("batch", 5)), TensorSpec("size", "float32", ("batch", 6))),
)
LIMIT = 8.0


class Network(torch.nn.Module):
    """A convolution with its normalisation, a recurrent layer, a change in place and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4)
        self.rows, self.head = torch.nn.GRU(32, 6, batch_first=True), torch.nn.Linear(6, 5)
        torch.nn.init.uniform_(self.norm.running_var, 0.1, 2)
        torch.nn.init.normal_(self.norm.bias)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.nn.functional.relu_(self.norm(self.conv(image)))
        found, _ = self.rows(features.permute(0, 2, 1, 3).flatten(2))
        mixed = torch.nn.functional.gelu(found.mean(1))
        return torch.softmax(self.head(mixed), -1), mixed


@pytest.fixture(scope="module")
def network() -> Network:
    return Network().eval()


@pytest.fixture
def artifact(network: Network, tmp_path: Path) -> Artifact:
    path = tmp_path / "model.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GRU looks at sizes while it is traced
        torch.jit.trace(network, torch.zeros(2, 3, 8, 8)).save(str(path))
    return Artifact("torchscript", path, SIGNATURE)


def images(*sizes: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(9)
    return [{"image": rng.normal(size=(size, 3, 8, 8)).astype(np.float32)} for size in sizes]


def load(artifact: Artifact) -> Session:
    return torch_jit.load(artifact, RunOptions())


def test_its_tensors_are_those_of_the_module_in_float64(network: Network, artifact: Artifact) -> None:
    file, (case,) = ScriptFile(artifact, load), images(3)
    wide = Network().eval().double()
    wide.load_state_dict({name: tensor.double() for name, tensor in network.state_dict().items()})
    seen: dict[str, np.ndarray] = {}

    def keep(name: str, _: object, __: object, given: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        first = given[0] if isinstance(given, tuple) else given
        seen[name] = first.detach().numpy().copy()

    for name, module in wide.named_modules():
        if name:
            module.register_forward_hook(partial(keep, name))
    with torch.no_grad():
        scores, mixed = wide(torch.from_numpy(case["image"]).double())
    exact = file.exact.values(case, [name for step in file.steps for name in step.outputs])
    by_kind = {step.op_type: exact[step.outputs[0]] for step in file.steps if step.outputs[0] in exact}
    np.testing.assert_allclose(by_kind["_convolution"], seen["conv"], atol=1e-13)
    np.testing.assert_allclose(by_kind["gru"], seen["rows"], atol=1e-13)
    np.testing.assert_allclose(by_kind["linear"], seen["head"], atol=1e-13)
    for name, expected in zip(file.outputs, (scores, mixed), strict=True):
        np.testing.assert_allclose(exact[name], expected.numpy(), atol=1e-13)


def test_what_is_changed_in_place_is_shown_as_it_is_in_the_end_only(artifact: Artifact) -> None:
    file = ScriptFile(artifact, load)
    shown = {step.op_type for step in file.steps}
    assert "relu_" in shown
    assert "batch_norm" not in shown, "its result is overwritten"


def test_operators_know_their_weights_settings_and_lines(artifact: Artifact) -> None:
    steps = {step.op_type: step for step in ScriptFile(artifact, load).steps}
    assert steps["linear"].weights == ("head.weight", "head.bias")
    names = {f"rows.{kind}_{side}_l0" for kind in ("weight", "bias") for side in ("ih", "hh")}
    assert set(steps["gru"].weights) == names
    assert steps["gelu"].attributes == {"approximate": "none"}
    assert steps["gelu"].line.startswith(f"{Path(__file__).name}:")


def test_few_tensors_are_held_at_a_time(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cases = ScriptFile(artifact, load), images(3)
    whole = moments(file.exact, cases, set())
    asked: list[int] = []
    values = file.exact.values
    monkeypatch.setattr("isoform.hub.divergence.moments.LARGEST_HELD_BYTES", 8 * 3 * 4 * 64)
    monkeypatch.setattr(file.exact, "values", lambda case, names: (asked.append(len(names)), values(case, names))[1])
    pieces = moments(file.exact, cases, set())
    assert len(asked) > 3
    assert whole.keys() == pieces.keys()
    assert all(np.array_equal(whole[name], pieces[name]) for name in whole)


def rounding(kind: str) -> Callable[[Artifact], Session]:
    """Return how files are opened by a runtime that rounds what it computes together with an operator of this kind."""

    def opened(artifact: Artifact) -> Session:
        graph = torch.jit.load(str(artifact.model)).inlined_graph
        session = load(artifact)
        return Rounding(session) if graph.findNode(f"aten::{kind}") else session

    return opened


def test_an_optimiser_that_rounds_is_found_in_parts_of_the_file_and_they_show_it(
    artifact: Artifact, tmp_path: Path
) -> None:
    execution = Execution(ScriptFile(artifact, rounding("gelu")), images(3, 1), LIMIT)
    found = execution.first()
    assert found is not None
    assert found.steps[-1].op_type == "gelu"
    assert found.is_fused
    assert found.own > LIMIT
    told = of_execution(execution, found, tmp_path / "kept")
    script = subprocess.run([sys.executable, told.files[0]], capture_output=True, text=True, check=False)
    assert script.returncode == 0, "libtorch itself computes it as it should"
    assert "differs most at" in script.stdout


def test_a_kernel_of_libtorch_that_rounds_is_found_by_what_it_holds(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ScriptFile(artifact, load)
    observed = file._script  # a kernel of libtorch cannot be replaced; the weights that it reads can
    with torch.no_grad():
        observed.head.weight.copy_(observed.head.weight.half().float())
    monkeypatch.setattr(file, "single", file.exact)  # what is plain is right
    monkeypatch.setattr(file, "run", lambda: file.observed(file.outputs))
    found = Execution(file, images(3, 1), LIMIT).first()
    assert found is not None
    assert found.steps[0].op_type == "linear"
    assert not found.is_fused


def test_a_file_without_a_fault_has_nothing_to_name(artifact: Artifact) -> None:
    assert Execution(ScriptFile(artifact, load), images(3, 1), LIMIT).first() is None


def test_an_operator_that_does_not_run_at_other_sizes_is_named(artifact: Artifact, tmp_path: Path) -> None:
    script = faults.opened(artifact)
    assert faults.FAULTS["a frozen axis"](script, np.random.default_rng(1))
    broken = tmp_path / "frozen.ts"
    faults.save(script, broken)
    file = ScriptFile(Artifact("torchscript", broken, SIGNATURE), load)
    assert stopping(file, images(2)[0]) is None
    found = stopping(file, images(3)[0])
    assert found is not None
    assert found[0].op_type == "view"
    assert found[1].endswith("torch.view(image, [2, 3, 8, 8])")


PLANTED = ("another epsilon", "the other gelu", "a softmax over another axis", "one weight off by a thousandth")


def test_the_operator_of_the_file_that_holds_a_fault_is_named_and_the_part_shows_it(
    network: Network, artifact: Artifact, tmp_path: Path
) -> None:
    isoform.convert(artifact.model, ["onnx"], inputs=["image:float32[batch,3,8,8]"], out=tmp_path / "out", name="net")
    whole = tmp_path / "out" / "net"
    with Pool(tmp_path / "logs") as pool:
        for name in PLANTED:
            script = faults.opened(artifact)
            told = faults.FAULTS[name](script, np.random.default_rng(1))
            assert told is not None
            broken = tmp_path / name.replace(" ", "-") / "model.ts"
            broken.parent.mkdir()
            faults.save(script, broken)
            known = whole / "onnx" / CASES_NAME
            assert case_files.load(known).reference is not None
            found = explain.explain(broken, whole / "onnx", known, pool, tmp_path / "kept").divergence
            assert found is not None, name
            kind = {"another epsilon": "batch_norm", "the other gelu": "gelu", "a softmax over another axis": "softmax"}
            assert found.operator.startswith("%")
            assert kind.get(name, "") in found.operator or "relu_" in found.operator
            assert found.line.startswith(Path(__file__).name)
            shown = subprocess.run([sys.executable, found.files[0]], capture_output=True, text=True, check=False)
            assert shown.returncode == 1, (name, shown.stderr)
