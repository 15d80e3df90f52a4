"""A user's repository whose workflow calls the action: what its build fails on, and what it does not.

Faults are planted in a copy of the exports, and the record is made to fit the altered file: as if a converter had
written it so.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from isoform import store
from isoform.core import cases as case_files
from isoform.core.artifact import open_artifact
from isoform.core.lock import Lock
from isoform.core.parity import Gate, ParityRecord, assess
from isoform.core.protocols import RunOptions
from isoform.core.verification import Verification
from isoform.runtimes import ort
from isoform.stages.gate import lock as locks
from repos import action_steps

ROOT = Path(__file__).parents[2]
NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU())
        self.left, self.right = nn.Linear(32, 4), nn.Linear(32, 4)

    def forward(self, x):
        y = self.body(x)
        return {"left": self.left(y), "right": self.right(y)}

def build():
    return Net()
"""
MAKE_WEIGHTS = "import torch, net; torch.manual_seed(0); torch.save(net.build().state_dict(), 'weights.pt')"
CONVERT = "weights.pt --arch net.py:build --input 'x:float32[batch,8]' --to onnx --name net"
ONNX = Path("exports/net/onnx")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository that has converted, measured and locked its model."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "net.py").write_text(NETWORK)
    subprocess.run([sys.executable, "-c", MAKE_WEIGHTS], cwd=folder, check=True)
    done = action_steps.run(
        folder, install="", convert=CONVERT, bench="exports --threads 1 --quick", verify="--update-lock"
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """Return a copy of the repository that a test may damage."""
    return Path(shutil.copytree(repository, tmp_path / "copy"))


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    return action_steps.run(folder, install="", lock="parity.lock", verify="--runtime ort-cpu")


def written_so(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change the model, and its digest in the record too."""
    model = onnx.load(folder / ONNX / "model.onnx")
    change(model)
    onnx.save(model, folder / ONNX / "model.onnx")
    record = json.loads((folder / ONNX / "artifact.json").read_text())
    record["files"]["model.onnx"] = store.inventory(folder / ONNX)["model.onnx"]
    store.write_json(folder / ONNX / "artifact.json", record)


def changed_weight(model: onnx.ModelProto, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "body.3.weight")
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor))), tensor.name))


def scale_one_weight(model: onnx.ModelProto) -> None:
    changed_weight(model, lambda array: np.where(np.arange(array.size) == 7, 1.001, 1.0).reshape(array.shape).astype(
        np.float32) * array)  # fmt: skip


def round_a_layer_to_fp16(model: onnx.ModelProto) -> None:
    changed_weight(model, lambda array: array.astype(np.float16).astype(np.float32))


def freeze_an_axis(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
        value.type.tensor_type.shape.dim[0].dim_value = 2


def swap_outputs(model: onnx.ModelProto) -> None:
    names = {"left": "right", "right": "left"}
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]


def take_another_epsilon(model: onnx.ModelProto) -> None:
    """Change what no weight holds, by less than float32's rounding shows in the outputs."""
    node = next(node for node in model.graph.node if node.op_type == "LayerNormalization")
    next(attribute for attribute in node.attribute if attribute.name == "epsilon").f = 1.004e-5


def test_the_build_fails_on_a_difference_that_rounding_hides(copy: Path) -> None:
    written_so(copy, take_another_epsilon)
    done = checked(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    cases = ET.parse(copy / "parity-report" / "parity.xml").getroot()[0]
    failed = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failed == {"semantics", "lock"}


@pytest.mark.parametrize("fault", [scale_one_weight, round_a_layer_to_fp16, freeze_an_axis, swap_outputs])
def test_the_build_fails_on_a_planted_fault(copy: Path, fault: Callable[[onnx.ModelProto], None]) -> None:
    written_so(copy, fault)
    done = checked(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\n::error title=" in done.stderr
    assert "❌ FAIL" in (copy / "summary.md").read_text()
    suite = ET.parse(copy / "parity-report" / "parity.xml").getroot()[0]
    assert int(suite.get("failures", "0")) >= 1
    levels = [
        result["level"]
        for result in json.loads((copy / "parity-report" / "parity.sarif").read_text())["runs"][0]["results"]
    ]
    assert "error" in levels


def timed(folder: Path, latency_ns: int) -> None:
    """Record that every process took the same time for an inference, within a hundredth."""
    document = json.loads((folder / ONNX / "bench.json").read_text())
    for place, process in enumerate(document["records"][0]["timings"][0]["processes"]):
        count = len(process["latencies_ns"])
        process["latencies_ns"] = [latency_ns + latency_ns // 1000 * ((place + turn) % 10) for turn in range(count)]
    store.write_json(folder / ONNX / "bench.json", document)


def test_the_build_fails_when_latency_doubles_and_says_by_how_much(copy: Path) -> None:
    timed(copy, 100_000)  # what a real machine takes varies so much that twice of it may lie within
    done = action_steps.run(copy, install="", lock="parity.lock", verify="--runtime ort-cpu --update-lock")
    assert done.returncode == 0, done.stderr
    timed(copy, 104_000)
    assert checked(copy).returncode == 0, "a twentieth is within what the lock allows"
    timed(copy, 200_000)
    done = checked(copy)
    assert done.returncode == 1, done.stderr
    assert "latency at batch 1, 1 thread" in done.stderr
    assert "(+100 %)" in done.stderr
    assert "with the same versions" in done.stderr


def test_the_build_passes_while_nothing_has_changed(copy: Path) -> None:
    done = checked(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::error" not in done.stderr
    assert "✅ PASS" in (copy / "summary.md").read_text()


def records(folder: Path) -> Iterator[ParityRecord]:
    """Yield the record of the model under each way of running it that leaves the function as it is."""
    artifact, cases = open_artifact(folder / ONNX), case_files.load(folder / ONNX / "cases.npz")
    for options in (RunOptions(threads=1), RunOptions(threads=2), RunOptions(is_optimised=False)):
        session = ort.load(artifact, options)
        outputs = [session.run(case) for case in cases.inputs]
        yield assess("ort-cpu", artifact.signature, session.signature, cases, outputs, Gate("PASS"), Gate("PASS"))
        session.close()


def test_another_optimisation_level_or_number_of_threads_holds_the_lock(repository: Path) -> None:
    locked = Lock.from_json(json.loads((repository / "parity.lock").read_text()))
    for record in records(repository):
        found = Verification(repository / ONNX, (record,), 1, {})
        changes = locked.compare(locks.entries([found], repository / "parity.lock"), lambda key: False)
        assert [str(change) for change in changes] == []


def test_what_json_prints_is_what_the_published_schema_says(copy: Path) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / "verify.schema.json").read_text())
    written_so(copy, swap_outputs)
    words = ["verify", "exports", "--lock", "parity.lock", "--self-test", "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "isoform", *words], cwd=copy, capture_output=True, text=True, check=False
    )
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    assert document["lock"]["changes"][0]["regression"]
    assert document["self_tests"][0]["control"] == "FAIL", "what is wrong already catches nothing"


def test_the_self_test_catches_what_is_planted_in_copies_and_leaves_the_artifact(copy: Path) -> None:
    before = store.inventory(copy / ONNX)
    words = ["verify", "exports", "--runtime", "ort-cpu", "--self-test", "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "isoform", *words], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [test] = json.loads(done.stdout)["self_tests"]
    assert test["control"] == "PASS"
    assert {entry["fault"] for entry in test["planted"]} >= {
        "a dropped bias", "another epsilon", "the other gelu", "swapped outputs", "a frozen axis", "stale weights"
    }  # fmt: skip
    assert test["caught"] == len(test["planted"])
    record = json.loads((copy / ONNX / "self_test.json").read_text())
    assert (record["planted"], record["control"]) == (test["planted"], "PASS")
    after = store.inventory(copy / ONNX)
    assert {name: entry for name, entry in after.items() if name != "self_test.json"} == before


MARKED = """
import pytest

@pytest.mark.parity(source="weights.pt", arch="net.py:build", inputs=["x:float32[batch,8]"], to=["onnx", "torchscript"])
def test_it_converts(isoform):
    assert isoform.result.verdict == "PASS"

@pytest.mark.parity(source="weights.pt", arch="net.py:build", inputs=["x:float32[batch,9]"], to="onnx")
def test_a_wrong_input_fails(): ...

def test_an_artifact_verifies(isoform):
    isoform.verify("exports/net/onnx")

def test_a_damaged_one_does_not(isoform):
    isoform.verify("damaged")
"""
UNTOLD = """
import pytest

@pytest.mark.parity("weights.pt")
def test_a_mark_that_lacks_formats(): ...
"""


def pytest_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_pytest_plugin_proves_marked_formats_one_by_one(copy: Path) -> None:
    (copy / "test_parity.py").write_text(MARKED)
    shutil.copytree(copy / ONNX, copy / "damaged")
    model = onnx.load(copy / "damaged" / "model.onnx")
    scale_one_weight(model)
    onnx.save(model, copy / "damaged" / "model.onnx")
    done = pytest_in(copy, "test_parity.py")
    assert done.returncode == 1, done.stdout
    assert "2 failed, 3 passed" in done.stdout
    assert "FAILED test_parity.py::test_a_wrong_input_fails[onnx]" in done.stdout
    assert "FAILED test_parity.py::test_a_damaged_one_does_not" in done.stdout
    assert "'body.3.weight'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_mark_that_lacks_its_formats_says_how_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "test_untold.py").write_text(UNTOLD)
    done = pytest_in(tmp_path, "test_untold.py")
    assert done.returncode == 2
    told = [line for line in done.stdout.splitlines() if "write @pytest" in line]
    assert told[0] == "test_untold.py::test_a_mark_that_lacks_formats: write @pytest.mark.parity(source=..., to=[...])."
    assert "pytest_plugin.py" not in done.stdout
