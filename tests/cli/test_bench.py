"""``isoform bench`` with a budget and with a baseline: what is printed, and what the exit code says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoform import store
from isoform.core import cases
from isoform.core.bench import BenchOptions, BenchRecord, Process, Timing
from isoform.core.comparison import Comparison, Group
from isoform.core.machine import Machine
from isoform.core.signature import Signature, TensorSpec
from isoform.core.work import Work, untold
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


def test_what_is_told_beyond_latency_stands_below_it(answer, artifact: Path, monkeypatch: Any) -> None:
    summary = {
        "nodes": 10, "off_target": 2, "not_told": 1, "inserted": {"casts": 0, "copies": 3}, "mac_share_float": 0.75,
        "mac_share_integer": 0.25, "mac_share_off_target": 0.1, "mac_share_not_told": 0.0,
    }  # fmt: skip
    details = {
        "placement": {"is_known": True, "target": "GPU", "partitions": 2, "summary": summary},
        "work": Work("the file", 500_000_000, 80_000_000, 15_000_000, 5_000_000, 400_000_000).to_json(),
        "ceilings": {"threads": {"1": {"flops_per_s": 2e12, "bytes_per_s": 1e11}}},
    }
    monkeypatch.setattr(bench, "bench", lambda *_, **__: (replace(RECORD, details=details), False))
    found = answer("bench", str(artifact)).err
    assert (
        "7 of 10 operators on GPU in 2 pieces; 75 % of arithmetic in float; 25 % of arithmetic on integers; " in found
    )
    assert "10 % of arithmetic elsewhere; put in by the runtime: 3 copies" in found
    assert "1000 MFLOP and 100 to 400 MB a query" in found
    assert "500 GFLOP/s on 1 thread, 50 % of what memory allows" in found  # 1 GFLOP in 2 ms; 10 FLOP a byte


def test_what_is_not_told_says_why(answer, artifact: Path, monkeypatch: Any) -> None:
    details = {"placement": untold("tf does not say"), "work": untold("no graph")}
    monkeypatch.setattr(bench, "bench", lambda *_, **__: (replace(RECORD, details=details), False))
    found = answer("bench", str(artifact)).err
    assert "placement not told: tf does not say" in found
    assert "arithmetic not counted: no graph" in found


@pytest.mark.parametrize(("flags", "is_detailed"), [((), True), (("--quick",), False)])
def test_quick_leaves_out_what_is_slow(
    answer, artifact: Path, monkeypatch: Any, flags: tuple[str, ...], is_detailed: bool
) -> None:
    chosen: list[BenchOptions] = []

    def kept(folder: Path, row: Any, pool: Any, options: BenchOptions, **_: Any) -> tuple[BenchRecord, bool]:
        chosen.append(options)
        return RECORD, False

    monkeypatch.setattr(bench, "bench", kept)
    answer("bench", str(artifact), *flags)
    assert [options.is_detailed for options in chosen] == [is_detailed]


def test_several_batches_are_measured_one_after_the_other_and_their_throughput_told(
    answer, artifact: Path, monkeypatch: Any
) -> None:
    def measured(folder: Path, row: Any, pool: Any, options: BenchOptions, **_: Any) -> tuple[BenchRecord, bool]:
        return replace(RECORD, batch=options.batch), False

    monkeypatch.setattr(bench, "bench", measured)
    found = answer("bench", str(artifact), "--batch", "1,8,8", "--json")
    assert [entry["batch"] for entry in json.loads(found.out)] == [1, 8]
    assert "measured batch 8  p50 2.000 ms on 1 thread  of 1 process  with copies 2.100 ms" in found.err
    assert "samples a second on 1 thread: batch 1 500, batch 8 4,000" in found.err  # a query in 2 ms
    assert "samples a second" not in answer("bench", str(artifact)).err


@pytest.mark.parametrize("text", ["0", "1,", "1,x", "-1", "1.5", ""])
def test_what_is_no_batch_is_a_mistake_of_the_command(answer, artifact: Path, text: str) -> None:
    found = answer("bench", str(artifact), f"--batch={text}")
    assert (found.code, f"--batch: '{text}' is no whole number from one on." in found.err) == (2, True)


def test_a_comparison_takes_one_batch(answer, artifact: Path) -> None:
    found = answer("bench", str(artifact), "--batch", "1,8", "--baseline", "exports")
    assert (found.code, "--baseline takes one batch." in found.err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "limited"), [((), True), (("--minutes", "1"), True), (("--quick",), False), (("--processes", "3"), False)]
)
def test_time_is_shared_unless_the_number_of_processes_is_given(
    answer, artifact: Path, monkeypatch: Any, flags: tuple[str, ...], limited: bool
) -> None:
    limits: list[float | None] = []
    monkeypatch.setattr(bench, "bench", lambda *_, limit_s, **__: (limits.append(limit_s) or RECORD, False))
    answer("bench", str(artifact), "--batch", "1,2", *flags)
    assert [limit is not None for limit in limits] == [limited] * 2
    if flags[:1] == ("--minutes",):
        assert 29 < limits[0] <= 30
        assert 59 < limits[1] <= 60  # what the first has left over


def test_loadgen_that_is_not_installed_is_told_in_one_line(answer, artifact: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("isoform.stages.mlperf.find_spec", lambda module: None)
    monkeypatch.setattr(bench, "bench", lambda *_, **__: pytest.fail("something was measured"))
    found = answer("bench", str(artifact), "--mlperf")
    assert found.code == 3
    assert "--mlperf needs the package 'mlperf_loadgen', which is not installed." in found.err
    assert "pip install 'isoform[mlperf]'" in found.err


def test_what_loadgen_said_is_a_line_and_its_duration_that_of_the_command(
    answer, artifact: Path, monkeypatch: Any
) -> None:
    asked = []
    said = {
        "is_valid": True, "reasons": [], "result": 0.5, "unit": "ms", "samples": 12_000, "duration_s": 10.04,
        "deviations": ["10 s at least, by the rules 600 s"],
    }  # fmt: skip
    record = replace(RECORD, details={"mlperf": {"single-stream": said}})
    monkeypatch.setattr("isoform.stages.mlperf.find_spec", lambda module: module)
    monkeypatch.setattr(bench, "bench", lambda *_, **flags: (asked.append(flags["mlperf_s"]) or record, False))
    found = answer("bench", str(artifact), "--mlperf")
    answer("bench", str(artifact), "--mlperf", "--mlperf-seconds", "600")
    answer("bench", str(artifact))
    assert asked == [10, 600, None]
    assert (
        "LoadGen single-stream: 90th percentile 0.5 ms, VALID, 12,000 samples in 10.0 s; no MLPerf submission: "
        "10 s at least, by the rules 600 s"
    ) in " ".join(found.err.split())


def test_loadgen_takes_no_turns_with_a_baseline(answer, artifact: Path) -> None:
    found = answer("bench", str(artifact), "--mlperf", "--baseline", "exports")
    assert (found.code, "--mlperf does not take turns with a baseline" in found.err) == (2, True)
