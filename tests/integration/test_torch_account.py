"""The error by stages, and the search for the worst input: faults in one stage, or at rare inputs, are found."""

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from isoform import hub
from isoform.core import cases as case_files
from isoform.core import generation
from isoform.core.artifact import Artifact
from isoform.core.ledger import EAGER, GRAPH, HALF, OPTIMISED, UNOPTIMISED, Stage
from isoform.core.protocols import Array, RunOptions, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.jobs import ledger, reference, worst_case
from isoform.runtimes import ort, torch_jit

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 12)),), (TensorSpec("y", "float32", ("batch", 6)),)
)  # fmt: skip


def network(scale: float = 0.3) -> onnx.ModelProto:
    rng = np.random.default_rng(7)

    def weight(name: str, *shape: int, size: float = 0.3) -> onnx.TensorProto:
        return numpy_helper.from_array((size * rng.normal(size=shape)).astype(np.float32), name)

    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="wide"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["z"], name="narrow"),
        helper.make_node("Tanh", ["z"], ["y"], name="tanh"),
    ]
    weights = [weight("w1", 12, 24, size=scale), weight("b1", 24), weight("w2", 24, 6, size=0.1 / scale),
               weight("b2", 6)]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 6])], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def recorded(model: onnx.ModelProto, folder: Path) -> dict[str, str | dict]:
    """Return the arguments of a job: the file, and cases with the references of its own reference evaluator."""
    path, given, cases = folder / "net.onnx", folder / "given.npz", folder / "cases.npz"
    onnx.save(model, path)
    case_files.save(generation.generate(SIGNATURE, [], {}), given)
    artifact = Artifact("onnx", path, SIGNATURE).to_json()
    reference.reference(
        {"runtime": "onnx-reference", "artifact": artifact, "cases": str(given), "outputs": str(cases)}, _silent
    )
    return {"artifact": artifact, "cases": str(cases), "runtime": "ort-cpu"}


def _silent(**event: object) -> None:
    """Take no notice of progress."""


def accounted(arguments: Mapping[str, object]) -> tuple[dict[str, Stage], str, str]:
    value = ledger.ledger(dict(arguments), _silent)
    return {row["name"]: Stage.from_json(row) for row in value["stages"]}, value["repair"], value["kept"]


def test_a_file_that_is_right_passes_at_every_stage_and_needs_no_repair(tmp_path: Path) -> None:
    stages, repair, _ = accounted(recorded(network(), tmp_path))
    assert [stages[name].verdict for name in (EAGER, GRAPH, UNOPTIMISED, OPTIMISED)] == ["PASS"] * 4
    assert stages[EAGER].r_rms <= 1, "the source's own error is one of the things that it is held against"
    assert repair == ""


def test_half_precision_is_told_from_single(tmp_path: Path) -> None:
    stages, _, kept = accounted(recorded(network(), tmp_path))
    assert stages[HALF].verdict == "FAIL"
    assert 9 <= stages[HALF].correct_bits <= 13, "float16 has eleven bits"
    assert "kept in float32" in kept


def test_the_operator_that_overflows_in_half_precision_is_the_one_to_keep(tmp_path: Path) -> None:
    _, _, kept = accounted(recorded(network(scale=3e4), tmp_path))
    assert kept.startswith(("wide (Gemm)", "relu (Relu)"))


def test_a_fault_in_the_file_shows_in_the_graph_and_cannot_be_repaired_by_running_it_otherwise(tmp_path: Path) -> None:
    arguments = recorded(network(), tmp_path)
    broken = network()
    kernel = numpy_helper.to_array(broken.graph.initializer[0])
    rounded = kernel.astype(np.float16).astype(np.float32)
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(rounded, "w1"))
    onnx.save(broken, tmp_path / "net.onnx")
    stages, repair, _ = accounted(arguments)
    assert stages[EAGER].verdict == "PASS"
    assert stages[GRAPH].verdict == stages[UNOPTIMISED].verdict == stages[OPTIMISED].verdict == "FAIL"
    assert repair.startswith("none in how it is run")


class Wrong:
    """A session that adds an error to what another one gives, wherever ``is_off`` says so of the inputs."""

    def __init__(self, inner: Session, is_off: bool | float) -> None:
        self._inner, self._is_off, self.signature = inner, is_off, inner.signature

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        found = self._inner.run(inputs)
        is_off = self._is_off if isinstance(self._is_off, bool) else float(inputs["x"].mean()) > self._is_off
        return {name: array * np.float32(1 + 1e-3) for name, array in found.items()} if is_off else found

    def close(self) -> None:
        self._inner.close()


def test_a_fault_of_the_optimiser_is_repaired_by_leaving_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, load = recorded(network(), tmp_path), ort.load
    monkeypatch.setattr(ort, "load", lambda artifact, options: Wrong(load(artifact, options), options.is_optimised))
    stages, repair, _ = accounted(arguments)
    assert stages[GRAPH].verdict == stages[UNOPTIMISED].verdict == "PASS"
    assert stages[OPTIMISED].verdict == "FAIL"
    assert repair == "without graph optimisation"


def test_a_fault_that_needs_all_threads_is_repaired_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, load = recorded(network(), tmp_path), ort.load
    monkeypatch.setattr(ort, "load", lambda artifact, options: Wrong(load(artifact, options), options.threads != 1))
    assert accounted(arguments)[1] == "1 thread"


def scripted(folder: Path, model: onnx.ModelProto) -> dict[str, object]:
    """Return the arguments of a job on the network as TorchScript, with the cases of the whole one."""
    arguments = recorded(network(), folder)
    path = folder / "net.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch counts TorchScript among what is past
        torch.jit.trace(hub.to_torch(model), torch.zeros(2, 12)).save(str(path))
    return arguments | {"artifact": Artifact("torchscript", path, SIGNATURE).to_json(), "runtime": "torch-jit"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_file_is_run_operator_by_operator_too(tmp_path: Path) -> None:
    stages, repair, _ = accounted(scripted(tmp_path, network()))
    assert [stages[name].verdict for name in (EAGER, GRAPH, UNOPTIMISED, OPTIMISED)] == ["PASS"] * 4
    assert stages[HALF].reason.startswith("not asked")
    assert repair == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fault_in_a_torchscript_file_shows_in_its_graph(tmp_path: Path) -> None:
    broken = network()
    rounded = numpy_helper.to_array(broken.graph.initializer[0]).astype(np.float16).astype(np.float32)
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(rounded, "w1"))
    stages, repair, _ = accounted(scripted(tmp_path, broken))
    assert stages[GRAPH].verdict == stages[UNOPTIMISED].verdict == stages[OPTIMISED].verdict == "FAIL"
    assert repair.startswith("none in how it is run")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("option", "repair"), [("is_optimised", "without optimised execution"), ("has_onednn", "without oneDNN")]
)
def test_a_fault_of_libtorch_is_repaired_by_leaving_out_what_makes_it(
    option: str, repair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, load = scripted(tmp_path, network()), torch_jit.load
    monkeypatch.setattr(
        torch_jit, "load", lambda artifact, options: Wrong(load(artifact, options), getattr(options, option))
    )
    stages, found, _ = accounted(arguments)
    assert (stages[GRAPH].verdict, stages[OPTIMISED].verdict) == ("PASS", "FAIL")
    assert found == repair


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_libtorch_runs_as_it_is_told_and_as_before_afterwards(tmp_path: Path) -> None:
    artifact = Artifact.from_json(scripted(tmp_path, network())["artifact"])  # type: ignore[arg-type]
    case = {"x": np.zeros((2, 12), np.float32)}
    for options, expected in ((RunOptions(), [True, True]), (RunOptions(is_optimised=False), [False, True]),
                              (RunOptions(has_onednn=False), [True, False])):  # fmt: skip
        session = torch_jit.load(artifact, options)
        seen: list[bool] = []
        module = session._module

        def call(*tensors: torch.Tensor, module: object = module, seen: list[bool] = seen) -> object:
            seen += [torch._C._get_graph_executor_optimize(), torch._C._get_mkldnn_enabled()]
            return module(*tensors)  # type: ignore[operator]

        session._module = call
        session.run(case)
        assert seen == expected
        assert torch._C._get_graph_executor_optimize()
        assert torch._C._get_mkldnn_enabled()


def test_a_fault_at_inputs_that_no_case_has_is_found_by_the_search_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, load = recorded(network(), tmp_path), ort.load
    most = max(float(case["x"].mean()) for case in case_files.load(Path(str(arguments["cases"]))).inputs)
    monkeypatch.setattr(ort, "load", lambda artifact, options: Wrong(load(artifact, options), most + 0.1))
    kept = tmp_path / "kept.npz"
    found = worst_case.search({**arguments, "count": 200, "target": str(kept)}, _silent)
    assert found["begin"] <= found["limit"] < found["ratio"]
    case = case_files.load(kept)
    wrong = ort.load(Artifact("onnx", tmp_path / "net.onnx", SIGNATURE), RunOptions()).run(case.inputs[0])
    right = load(Artifact("onnx", tmp_path / "net.onnx", SIGNATURE), RunOptions()).run(case.inputs[0])
    assert case.reference is not None
    off, near = (float(np.abs(answer["y"] - case.reference[0]["y"]).max()) for answer in (wrong, right))
    assert off > 100 * near, "the case that is kept tells the two apart"


def test_the_same_search_finds_the_same_input_and_nothing_in_a_runtime_that_is_right(tmp_path: Path) -> None:
    arguments = recorded(network(), tmp_path)
    found = [
        worst_case.search({**arguments, "count": 20, "target": str(tmp_path / name)}, _silent) for name in ("a", "b")
    ]
    assert found[0] == found[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert found[0]["begin"] <= found[0]["ratio"] <= found[0]["limit"]


def test_the_command_shows_both_and_the_case_that_it_keeps_can_be_verified(tmp_path: Path) -> None:
    recorded(network(), tmp_path)
    words = ["net.onnx", "--cases", "cases.npz", "--runtime", "ort-cpu"]
    both = command("verify", *words, "--ledger", "--worst-case", "8", "--json", folder=tmp_path)
    assert both.returncode == 0, both.stderr
    document = json.loads(both.stdout)
    jsonschema.validate(document, json.loads((ROOT / "docs" / "schemas" / "verify.schema.json").read_text()))
    assert [len(document[name]) for name in ("ledgers", "worst_cases")] == [1, 1]
    words[2] = document["worst_cases"][0]["cases"]
    again = command("verify", *words, folder=tmp_path)
    assert again.returncode == 0, again.stderr


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "isoform", *words], cwd=folder, capture_output=True, text=True, check=False
    )
