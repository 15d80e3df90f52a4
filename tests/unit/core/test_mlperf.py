"""LoadGen's log as a record: what it says is carried as it is, and how far the run was from the rules is told."""

import json
from typing import Any

import pytest

from isoform.core import mlperf
from isoform.core.statistics import queries_needed
from isoform.errors import IsoformError

PERCENTILES = {"50.00": 1_000_000, "90.00": 2_000_000, "99.00": 3_000_000, "99.90": 4_000_000}
SINGLE: dict[str, Any] = {
    "loadgen_version": "6", "generated_samples_per_query": 1, "result_query_count": 1000, "result_validity": "VALID",
    "result_qps_with_loadgen_overhead": 500.0, "early_stopping_latency_ss": 2_100_000,
    **{f"result_{number}_percentile_latency_ns": value for number, value in PERCENTILES.items()},
}  # fmt: skip
OFFLINE = SINGLE | {
    "generated_samples_per_query": 30_000, "result_query_count": 1, "result_samples_per_second": 50.0,
}  # fmt: skip


def log(said: dict[str, Any], *more: dict[str, Any]) -> str:
    entries = [{"key": key, "value": value, "metadata": {"is_error": False}} for key, value in said.items()]
    return "".join(f":::MLLOG {json.dumps(entry)}\n" for entry in (*entries, *more)) + "a line of another kind\n"


def test_single_stream_is_the_early_stopping_estimate_of_the_rules() -> None:
    record = mlperf.scenario(mlperf.SINGLE_STREAM, log(SINGLE), 600)
    assert (record["result"], record["unit"]) == (2.1, "ms")
    assert record["latencies_ns"] == {"p50": 1_000_000, "p90": 2_000_000, "p99": 3_000_000, "p99.9": 4_000_000}
    assert (record["samples"], record["queries"], record["duration_s"]) == (1000, 1000, 2.0)


def test_without_an_estimate_it_is_the_percentile_and_the_reason_stands() -> None:
    few = SINGLE | {"result_query_count": 20, "early_stopping_latency_ss": 0, "result_validity": "INVALID"}
    why = {"key": "result_invalid_reason", "value": "Too few. ", "metadata": {"is_error": False}}
    error = {"key": "error_runtime", "value": "Ran out.", "metadata": {"is_error": True}}
    record = mlperf.scenario(mlperf.SINGLE_STREAM, log(few, why, error, error), 10)
    assert (record["result"], record["is_valid"], record["reasons"]) == (2.0, False, ["Too few.", "Ran out."])
    (line,) = mlperf.told({mlperf.SINGLE_STREAM: record})
    assert "2 ms, INVALID (Too few.; Ran out.), 20 samples in 0.0 s; no MLPerf submission: 10 s at least" in line


def test_offline_is_a_rate_of_all_samples_of_its_one_query() -> None:
    record = mlperf.scenario(mlperf.OFFLINE, log(OFFLINE), 600)
    assert (record["result"], record["unit"]) == (50.0, "samples/s")
    assert (record["samples"], record["queries"], record["duration_s"]) == (30_000, 1, 600.0)
    assert record["latencies_ns"] is None


@pytest.mark.parametrize(("name", "said", "seconds", "is_quick"), [
    (mlperf.SINGLE_STREAM, SINGLE, 600, False), (mlperf.SINGLE_STREAM, SINGLE, 599.9, True),
    (mlperf.SINGLE_STREAM, SINGLE | {"result_query_count": 63}, 600, True),
    (mlperf.OFFLINE, OFFLINE, 600, False),
    (mlperf.OFFLINE, OFFLINE | {"generated_samples_per_query": 24_575}, 600, True),
])  # fmt: skip
def test_a_run_below_the_counts_of_the_rules_is_a_quick_one(
    name: str, said: dict[str, Any], seconds: float, is_quick: bool
) -> None:
    record = mlperf.scenario(name, log(said), seconds)
    assert record["is_quick"] is is_quick
    assert record["is_valid"]
    assert len(record["deviations"]) == 2 + is_quick


def test_no_run_claims_to_be_a_submission() -> None:
    (line,) = mlperf.told({mlperf.OFFLINE: mlperf.scenario(mlperf.OFFLINE, log(OFFLINE), 600)})
    assert "VALID, 30,000 samples in 600.0 s; no MLPerf submission: the artifact's own input" in line


def test_the_fewest_queries_of_single_stream_are_those_that_early_stopping_takes() -> None:
    assert mlperf.FEWEST[mlperf.SINGLE_STREAM] == queries_needed(0.9)


def test_more_than_one_sample_a_query_is_no_single_stream() -> None:
    assert mlperf.scenarios(1) == ("single-stream", "offline")
    assert mlperf.scenarios(8) == ("offline",)


def test_a_log_that_is_not_whole_is_no_result() -> None:
    with pytest.raises(IsoformError, match="LoadGen's log of offline lacks 'result_query_count'"):
        mlperf.scenario(mlperf.OFFLINE, log({"loadgen_version": "6"}), 1)
