"""The benchmark record: figures derived by hand, and nothing lost on the way through JSON."""

import json
from dataclasses import replace

import pytest

from isoform.core.bench import BenchOptions, BenchRecord, Process, Timing
from isoform.core.machine import Machine

HERE = Machine("Example 9000", "x86_64", 8, 16 << 30, "Linux 6.1", "CPython 3.11.7")


def process(latencies, **fields):
    given = {
        "import_ns": 100, "load_ns": 20, "first_ns": 9, "warmup_ns": 50, "warmup_runs": 40, "is_steady": True,
        "run_latencies_ns": (7, 9, 8),
        "imported_rss_bytes": 1000, "peak_rss_bytes": 2000,
    }  # fmt: skip
    return Process(latencies_ns=tuple(latencies), **(given | fields))


def record(*timings):
    return BenchRecord(
        "key", "ort-cpu", "cpu", True, 1, {"onnxruntime": "1.32.0"}, HERE, ("x:float32[1,4]",), "ab" * 32, 4096, timings
    )


def test_the_headline_is_the_median_of_process_medians_not_of_all_queries():
    timing = Timing(1, (process([1, 1, 1, 1, 1]), process([10, 10, 10]), process([20, 20, 20])))
    assert timing.medians_ns == (1, 10, 20)
    assert timing.median_ns == 10
    assert timing.range_ns == (1, 20)


def test_a_slow_outlier_is_kept_in_the_quantiles():
    timing = Timing(1, (process([5] * 57 + [900] * 7),))
    assert timing.quantile_ns("p50") == 5
    assert timing.quantile_ns("p90") == 900


def test_quantiles_are_given_only_from_their_number_of_queries_on():
    few, enough = Timing(1, (process([5] * 661),)), Timing(1, (process([5] * 331), process([7] * 331)))
    assert few.quantile_ns("p99") is None
    assert enough.quantile_ns("p99") == 7
    summary = enough.to_json()["summary"]["quantiles_ns"]
    assert summary["p99"] == 7
    assert summary["p99.9"] == "too few: 662 of 6636 queries"


def test_three_processes_have_a_range_and_no_interval():
    timing = Timing(1, tuple(process([value]) for value in (4, 6, 5)))
    assert timing.interval_ns is None
    assert timing.to_json()["summary"]["interval_95_ns"] is None
    assert timing.to_json()["summary"]["range_ns"] == [4, 6]


def test_phases_are_medians_and_the_peak_is_the_highest():
    timing = Timing(1, (
        process([5], import_ns=1, load_ns=10, first_ns=7, peak_rss_bytes=50),
        process([5], import_ns=3, load_ns=30, first_ns=9, peak_rss_bytes=70),
        process([5], import_ns=2, load_ns=20, first_ns=8, peak_rss_bytes=60),
    ))  # fmt: skip
    assert (timing.import_ns, timing.load_ns, timing.first_ns, timing.peak_rss_bytes) == (2, 20, 8, 70)


def test_a_query_with_its_copies_is_a_figure_of_its_own():
    timing = Timing(1, tuple(process([5], run_latencies_ns=times) for times in ((6, 7, 9), (8,), (30, 10))))
    assert (timing.median_ns, timing.run_ns) == (5, 8)
    assert timing.to_json()["summary"]["run_ns"] == 8


def test_throughput_is_samples_over_the_time_of_all_queries_the_median_of_processes():
    timing = Timing(1, tuple(process([each] * 4) for each in (100_000_000, 200_000_000, 500_000_000)))
    found = replace(record(timing), batch=8)
    assert timing.queries_per_s == (10, 5, 2)
    assert found.throughput(timing) == (40, None)
    summary = found.to_json()["timings"][0]["summary"]
    assert (summary["samples_per_s"], summary["samples_per_s_95"]) == (40, None)
    low, high = record().throughput(Timing(1, tuple(process([100_000_000]) for _ in range(6))))[1]
    assert low == high == 10


def test_a_clock_that_does_not_move_gives_no_throughput():
    timing = Timing(1, (process([0, 0]),))
    assert record().throughput(timing) is None
    assert record(timing).to_json()["timings"][0]["summary"]["samples_per_s"] is None


def test_one_unsteady_process_makes_the_timing_unsteady():
    assert not Timing(1, (process([5]), process([5], is_steady=False))).is_steady


def test_a_record_comes_back_from_json_as_it_was():
    before = record(Timing(1, (process([3, 4, 5]),), 0.1, 0.9), Timing(8, (process([2]),), None, None))
    assert BenchRecord.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_an_altered_summary_on_disk_changes_no_figure():
    document = record(Timing(1, (process([3, 4, 5]),))).to_json()
    document["timings"][0]["summary"]["median_ns"] = 1
    assert BenchRecord.from_json(document).timings[0].median_ns == 4


@pytest.mark.parametrize("field", ["processes", "threads", "batch", "rounds", "warmup_s", "timed_limit_s"])
def test_every_option_is_part_of_its_json(field):
    assert field in json.loads(json.dumps(BenchOptions().to_json()))
