"""The timing job: warm-up and rounds on scripted latencies, then a whole job on a runtime made of numpy."""

import gc
import sys
import time
from itertools import chain, repeat
from types import ModuleType

import numpy as np
import pytest

from isoform import registry
from isoform.core.artifact import Artifact
from isoform.core.protocols import Bound
from isoform.core.signature import Signature, TensorSpec
from isoform.jobs import measure

MS = 1_000_000


def scripted(*latencies):
    return chain(latencies, repeat(latencies[-1])).__next__


def test_warm_up_ends_when_two_windows_agree():
    runs, is_steady = measure.warm_up(scripted(10 * MS), 0.0, 10.0)
    assert is_steady
    assert len(runs) == 40


def test_warm_up_lasts_at_least_as_long_as_asked():
    runs, _ = measure.warm_up(scripted(10 * MS), 1.0, 10.0)
    assert sum(runs) >= 1000 * MS
    assert len(runs) == 100


def test_slow_first_runs_prolong_the_warm_up():
    runs, is_steady = measure.warm_up(scripted(*([50 * MS] * 30), 10 * MS), 0.0, 10.0)
    assert is_steady
    assert len(runs) == 80  # windows 20-40 and 40-60 differ, 40-60 and 60-80 agree


def test_a_model_that_keeps_slowing_down_is_called_unsteady_at_the_limit():
    growing = (int(MS * 1.01**index) for index in range(10_000)).__next__
    runs, is_steady = measure.warm_up(growing, 0.1, 1.0)
    assert not is_steady
    assert sum(runs[:-1]) < 1000 * MS <= sum(runs)


def test_a_very_slow_model_still_gets_ten_runs():
    runs, is_steady = measure.warm_up(scripted(3000 * MS), 1.0, 10.0)
    assert len(runs) == 10
    assert not is_steady


@pytest.mark.parametrize(("last", "expected"), [(101, True), (103, False), (97, False)])
def test_steady_means_medians_within_two_percent(last, expected):
    assert measure.is_steady([100] * 20 + [last] * 20) is expected


def test_timed_runs_are_as_many_as_asked_and_keep_their_order():
    assert measure.timed_runs(iter([5, 900, 4]).__next__, 3, 60.0) == [5, 900, 4]


def test_timed_runs_end_at_the_time_limit():
    assert measure.timed_runs(scripted(400 * MS), 100, 1.0) == [400 * MS] * 3


def test_garbage_is_collected_once_before_timing_and_not_while_it_lasts(monkeypatch):
    done = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    monkeypatch.setattr(gc, "disable", lambda: done.append("disable"))
    measure.stop_collecting()
    measure.timed_runs(lambda: done.append("query") or 1, 2, 60.0)
    assert done == ["collect", "disable", "query", "query"]


class Sleeper:
    """A session whose first run takes 30 ms and every other one 2 ms; copying in or out takes 5 ms."""

    def __init__(self, log):
        self.log, self.is_first = log, True

    def run(self, inputs):
        return self.bind(inputs).answer()

    def bind(self, inputs):
        def compute():
            time.sleep(0.03 if self.is_first else 0.002)
            self.is_first = False
            self.log.append(inputs["x"].tolist())

        def fetch():
            time.sleep(0.005)
            return {}

        time.sleep(0.005)
        return Bound(compute, fetch)

    def close(self):
        self.log.append("closed")


def test_the_job_reports_its_phases_apart_and_closes_the_session(tmp_path, monkeypatch):
    log, loaded = [], {}
    monkeypatch.setattr(measure, "stop_collecting", lambda: log.append("no collection"))

    def load(artifact, options):
        loaded.update(threads=options.threads, device=options.device)
        time.sleep(0.01)
        return Sleeper(log)

    module = ModuleType("isoform.runtimes.sleeper")
    module.load = load
    monkeypatch.setitem(sys.modules, "isoform.runtimes.sleeper", module)
    monkeypatch.setitem(
        registry.RUNTIMES, "sleeper", registry.Runtime("sleeper", "sleeper", ("onnx",), ("numpy",), "x")
    )
    spec = TensorSpec("x", "float32", ("batch", 2))
    artifact = Artifact("onnx", tmp_path / "m.onnx", Signature((spec,), ()))
    np.savez(tmp_path / "inputs.npz", np.array([[1, 2]], "float32"))
    value = measure.measure(
        {
            "runtime": "sleeper", "artifact": artifact.to_json(), "inputs": str(tmp_path / "inputs.npz"), "threads": 1,
            "rounds": 7, "warmup_s": 0.0, "warmup_limit_s": 1.0, "timed_limit_s": 60.0,
        },
        lambda **event: None,
    )  # fmt: skip
    assert value["load_ns"] >= 10 * MS
    assert value["first_ns"] >= (5 + 30 + 5) * MS
    assert len(value["latencies_ns"]) == 7
    assert min(value["latencies_ns"]) >= 2 * MS
    assert min(value["run_latencies_ns"]) >= (5 + 2 + 5) * MS
    assert value["versions"] == {"numpy": np.__version__}
    assert value["peak_rss_bytes"] >= value["imported_rss_bytes"] > 0
    assert loaded == {"threads": 1, "device": "cpu"}
    assert log[0] == [[1.0, 2.0]]
    assert log[-1] == "closed"
    assert len(value["run_latencies_ns"]) == measure.WHOLE_RUNS
    assert len(log) == 1 + value["warmup_runs"] + 1 + 7 + measure.WHOLE_RUNS + 1
    assert log[1 + value["warmup_runs"]] == "no collection"
