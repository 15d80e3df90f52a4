"""MLPerf's LoadGen against a real file in ONNX Runtime: its figures are those of the harness, its word is kept."""

import json
import statistics
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from isoform import registry, store
from isoform.core.artifact import CASES_NAME, RECORD_NAME, open_artifact
from isoform.core.bench import BenchOptions
from isoform.core.cases import Cases, load, save
from isoform.core.mlperf import OFFLINE, SINGLE_STREAM, scenario
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph
from isoform.isolation import Pool
from isoform.jobs import mlperf as job
from isoform.jobs.measure import timed
from isoform.stages import bench
from isoform.stages.mlperf import mlperf
from unit.hub.quantize.networks import model_of

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "bench.schema.json").read_text())
OPTIONS = BenchOptions(processes=1, threads=(1,), rounds=200, warmup_s=0.2, warmup_limit_s=0.5, timed_limit_s=0.5)
ROW = registry.runtime("ort-cpu")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Matrix products that take long enough for a few microseconds of LoadGen's own to be little, published as ONNX."""
    folder = tmp_path_factory.mktemp("mlperf")
    rng = np.random.default_rng(0)
    body = "a = MatMul(x, w) b = Relu(a) c = MatMul(b, w) y = Tanh(c)"
    model = model_of("float[n,768] x", "float[n,768] y", body, w=rng.standard_normal((768, 768)) / 28)
    graph.save(model, folder / "model.onnx")
    save(Cases(("gaussian",), ({"x": rng.standard_normal((1, 768), np.float32)},)), folder / CASES_NAME)
    signature = Signature((TensorSpec("x", "float32", ("n", 768)),), (TensorSpec("y", "float32", ("n", 768)),))
    record = {
        "schema_version": 1, "name": "net", "format": "onnx", "model": "model.onnx", "key": "k",
        "signature": signature.to_json(), "files": store.inventory(folder),
    }  # fmt: skip
    store.write_json(folder / RECORD_NAME, record)
    return folder


def measured(folder: Path, pool: Any, mlperf_s: float | None, **flags: Any) -> Any:
    return bench.bench(folder, ROW, pool, OPTIONS, mlperf_s=mlperf_s, **flags)


def test_both_scenarios_join_the_record_and_agree_with_the_harness(exported: Path) -> None:
    with Pool() as pool:
        record, is_reused = measured(exported, pool, 1.0, is_forced=True)
    assert not is_reused
    (written,) = json.loads((exported / "bench.json").read_text())["records"]
    jsonschema.validate(written, SCHEMA)
    single, offline = written["mlperf"]["single-stream"], written["mlperf"]["offline"]
    assert single["samples"] >= 64
    assert single["duration_s"] >= 1.0
    assert (single["is_quick"], offline["is_quick"]) == (True, True)
    harness_ns = record.timings[0].run_ns
    assert harness_ns / 8 < single["latencies_ns"]["p50"] < 8 * harness_ns  # another process, at another moment
    assert single["latencies_ns"]["p90"] <= 1e6 * single["result"]  # an estimate is never below what was seen


def test_a_record_that_lacks_it_gets_it_and_is_not_timed_again(exported: Path) -> None:
    with Pool() as pool:
        first, _ = measured(exported, pool, None, is_forced=True)
        second, is_reused = measured(exported, pool, 0.05)
        third, is_third_reused = measured(exported, pool, 0.05)
        fourth, is_fourth_reused = measured(exported, pool, None)
    assert "mlperf" not in first.details
    assert not is_reused
    assert second.timings == first.timings
    assert (third, is_third_reused, fourth, is_fourth_reused) == (second, True, second, True)
    assert second.details["mlperf"]["offline"]["min_duration_s"] == 0.05


def test_another_batch_is_offline_alone_and_a_query_holds_it(exported: Path) -> None:
    artifact = open_artifact(exported)
    query = bench.prepare(load(exported / CASES_NAME), artifact, 4)
    with Pool() as pool:
        found = mlperf(artifact, query.arrays, ROW, pool, BenchOptions(batch=4, warmup_s=0, warmup_limit_s=0.1), 1, 0.1)
    assert set(found) == {OFFLINE}
    assert found[OFFLINE]["samples"] >= 1


def test_its_figures_are_those_of_the_queries_that_it_asked() -> None:
    latencies: list[int] = []
    query = timed(lambda: time.sleep(0.002))

    def run() -> None:
        latencies.append(query())

    found = {}
    for name in (SINGLE_STREAM, OFFLINE):
        latencies.clear()
        found[name] = scenario(name, job._log_of(job._settings(name, 0.3, 2e6, 1), job._Answerer(run, 1).issue), 0.3)
        assert found[name]["samples"] == len(latencies)
        if name == SINGLE_STREAM:
            assert 1 <= found[name]["latencies_ns"]["p50"] / statistics.median(latencies) < 1.5
        else:
            assert 0.5 < found[name]["result"] * sum(latencies) / 1e9 / len(latencies) <= 1


@pytest.mark.parametrize("batch", [1, 4])
def test_each_sample_is_answered_once_and_a_query_runs_for_each_batch(batch: int) -> None:
    runs = []
    answerer = job._Answerer(lambda: runs.append(None), batch)
    settings = job._settings(OFFLINE, 0.001, 1e6, batch)
    settings.offline_expected_qps = 10_000.0  # of 1 ms and a tenth more: eleven samples
    log = job._log_of(settings, answerer.issue)
    entries = [json.loads(line.partition(" ")[2]) for line in log.splitlines()]
    (samples,) = [entry["value"] for entry in entries if entry["key"] == "generated_samples_per_query"]
    assert len(runs) == -(-samples // batch)


def test_slow_first_queries_do_not_shorten_a_run() -> None:
    assert job._typical_ns([900_000, 600_000, 300, 330, 300, 270]) == 200


def test_a_wrong_guess_of_the_latency_makes_loadgen_say_invalid_and_so_do_we() -> None:
    settings = job._settings(SINGLE_STREAM, 1.0, 1e9, 1)
    settings.min_query_count = 1
    record = scenario(SINGLE_STREAM, job._log_of(settings, job._Answerer(lambda: None, 1).issue), 1.0)
    assert not record["is_valid"]
    assert any("expected latency" in reason for reason in record["reasons"])
