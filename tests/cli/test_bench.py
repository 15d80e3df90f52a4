"""``isoform bench`` with a budget and with a baseline: what is printed, and what the exit code says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import store
from isoform.core import cases
from isoform.core.bench import BenchRecord, Process, Timing
from isoform.core.comparison import Comparison, Group
from isoform.core.machine import Machine
from isoform.core.signature import Signature, TensorSpec
from isoform.stages import bench, compare

SIGNATURE = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("y", "float32", ("n", 2)),))
PROCESS = Process(1, 2_000_000, 3, 4, 40, True, (2_000_000,) * 3, (2_100_000,), 1, 50 << 20)
RECORD = BenchRecord(
    "k", "ort-cpu", "cpu", True, 1, {}, Machine("cpu", "x86_64", 2, None, "Linux", "3.11"), (), "", 5_000_000,
    (Timing(1, (PROCESS,)),),
)  # fmt: skip


@pytest.fixture
def artifact() -> Path:
    """A published artifact in the folder of the test."""
    folder = Path("exports/net/onnx")
    folder.mkdir(parents=True)
    cases.save(cases.Cases(("gaussian",), ({"x": np.zeros((1, 4), np.float32)},)), folder / "cases.npz")
    record = {
        "schema_version": 1, "name": "net", "framework": "torch", "format": "onnx", "model": "model.onnx",
        "signature": SIGNATURE.to_json(), "files": store.inventory(folder),
    }  # fmt: skip
    store.write_json(folder / "artifact.json", record)
    return folder


@pytest.mark.parametrize(("budget", "code"), [("p50<3ms,size<6MB", 0), ("p50<1ms", 1)])
def test_a_budget_decides_the_exit_code(answer, artifact: Path, monkeypatch: Any, budget: str, code: int) -> None:
    monkeypatch.setattr(bench, "bench", lambda *_, **__: (RECORD, False))
    found = answer("bench", str(artifact), "--budget", budget)
    assert found.code == code
    assert ("p50 on 1 thread is 2 ms, the budget p50<1ms" in found.err) == bool(code)
    (entry,) = json.loads(answer("bench", str(artifact), "--budget", budget, "--json").out)
    assert bool(entry["over_budget"]) == bool(code)


@pytest.mark.parametrize(("ratio", "verdict", "code"), [(1.2, "slower", 1), (1.0, "same", 0), (0.8, "faster", 0)])
def test_slower_than_the_baseline_is_a_failure(
    answer, artifact: Path, monkeypatch: Any, ratio: float, verdict: str, code: int
) -> None:
    group = Group((1e6,) * 3, (1e6,) * 3, (1e6 * ratio,) * 3)
    monkeypatch.setattr(compare.Comparer, "run", lambda self: (Comparison(1, (group,) * 6),))
    found = answer("bench", str(artifact), "--baseline", str(artifact))
    assert found.code == code
    assert f"{verdict}  {ratio:.3f} times the baseline's 1.000 ms" in found.err
    (entry,) = json.loads(answer("bench", str(artifact), "--baseline", str(artifact), "--json").out)
    assert entry["comparisons"][0]["verdict"] == verdict


def test_what_is_no_budget_is_a_mistake_of_the_command(answer, artifact: Path) -> None:
    found = answer("bench", str(artifact), "--budget", "p5<1ms")
    assert (found.code, "no metric 'p5'" in found.err) == (2, True)
    found = answer("bench", str(artifact), "--budget", "p50<1ms", "--baseline", "exports")
    assert (found.code, "--budget holds what --baseline does not measure" in found.err) == (2, True)


def test_an_artifact_that_the_baseline_lacks_is_new_and_no_failure(answer, artifact: Path) -> None:
    Path("before").mkdir()
    found = answer("bench", str(artifact), "--baseline", "before")
    assert (found.code, "new: before has none of this model" in found.err) == (2, True)
    assert "nothing that these artifacts could be held against" in found.err
