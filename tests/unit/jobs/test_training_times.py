"""Times of steps: warm-up left out, quantiles and throughput of the others."""

import pytest

from isoform.jobs.training_times import WARMUP_STEPS, StepTimes


def test_the_first_steps_of_a_process_are_not_counted() -> None:
    times = StepTimes()
    for _ in range(WARMUP_STEPS):
        times.add(9.0, 32)
    assert times.to_json() == {"step_ms": None, "samples_per_s": None}
    for seconds, samples in ((0.001, 32), (0.002, 32), (0.003, 16)):
        times.add(seconds, samples)
    found = times.to_json()
    assert found["step_ms"] == pytest.approx({"count": 3, "mean": 2.0, "p10": 1.2, "p50": 2.0, "p90": 2.8})
    assert found["samples_per_s"] == pytest.approx(80 / 0.006)


def test_an_epoch_counts_its_own_steps() -> None:
    times = StepTimes()
    for index in range(40):
        times.add(0.001 if index < 20 else 0.005, 1)
    assert len(times) == 40
    assert times.to_json(since=20)["step_ms"]["p50"] == pytest.approx(5.0)
    assert times.to_json()["step_ms"]["count"] == 30
