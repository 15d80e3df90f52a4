"""Which epoch is the best, when a training stops early, and what is held out, with losses that a test chooses."""

from typing import Any

import numpy as np
import pytest

from isoform.core.training import TrainingPlan
from isoform.data.dataset import Dataset, Split
from isoform.errors import IsoformError
from isoform.jobs.training_epochs import Course, best_of, parts_of


def samples(count: int) -> Split:
    return Split(np.arange(count), np.zeros(count, np.int64), np.array)


class Listening:
    """Learns nothing, remembers what it was trained on, and has the losses that it is given, one an epoch."""

    def __init__(self, losses: list[float]) -> None:
        self.losses, self.epoch = losses, 0
        self.trained_on: list[set[int]] = []
        self.judged_by: list[set[int]] = []

    def begin_epoch(self, seed: int) -> None:
        self.epoch += 1
        self.trained_on.append(set())
        self.judged_by.append(set())

    def train(self, parts: Any, learning_rate: float) -> tuple[float, int]:
        self.trained_on[-1] |= {int(number) for part in parts for number in part.inputs}
        return 1.0, 0

    def evaluate(self, parts: Any) -> tuple[float, int]:
        self.judged_by[-1] |= {int(number) for part in parts for number in part.inputs}
        return self.losses[self.epoch - 1], 0


def trained(losses: list[float], count: int = 50, **options: Any) -> tuple[Course, Listening]:
    plan = TrainingPlan(**{"epochs": len(losses), "batch_size": 8} | options)
    learner = Listening(losses)
    test = Split(np.arange(1000, 1003), np.zeros(3, np.int64), np.array)
    course = Course(plan, learner, Dataset("d", samples(count), test, False, ""), [])
    while not course.is_over:
        course.run_epoch(lambda **event: None)
    return course, learner


def test_training_stops_when_the_best_epoch_is_as_many_epochs_back_as_it_waits_for() -> None:
    course, _ = trained([5.0, 4.0, 4.5, 4.25, 3.0], patience=2)
    assert [epoch["validation_loss"] for epoch in course.history] == [5.0, 4.0, 4.5, 4.25]
    assert course.has_stopped_early
    assert course.best is course.history[1]
    assert course.kept is course.history[3]


def test_a_better_epoch_in_time_starts_the_wait_anew() -> None:
    course, _ = trained([5.0, 4.0, 4.5, 3.0, 3.5, 3.25], patience=2, keep="best")
    assert len(course.history) == 6
    assert course.kept is course.history[3]


def test_without_patience_all_epochs_are_trained() -> None:
    course, _ = trained([1.0, 2.0, 3.0, 4.0], keep="best")
    assert (len(course.history), course.has_stopped_early) == (4, False)
    assert course.kept is course.history[0]


@pytest.mark.parametrize(
    ("options", "best"),
    [
        ({"monitor": "loss"}, 3), ({"monitor": "loss", "min_delta": 0.5}, 1), ({"monitor": "accuracy"}, 2),
        ({"monitor": "accuracy", "min_delta": 0.25}, 1),
    ],
)  # fmt: skip
def test_the_best_epoch_is_better_by_more_than_the_smallest_difference(options: dict[str, Any], best: int) -> None:
    values = [(1.0, 0.5), (0.75, 0.75), (0.5, 0.75)]
    history = [
        {"epoch": number, "validation_loss": loss, "validation_accuracy": accuracy}
        for number, (loss, accuracy) in enumerate(values, start=1)
    ]
    found = best_of(TrainingPlan(keep="best", **options), history)
    assert found is not None
    assert found["epoch"] == best


def test_what_is_held_out_is_never_trained_on_and_the_rest_all_in_each_epoch() -> None:
    _, learner = trained([3.0, 2.0, 1.0], validation_share=0.3)
    held_out = learner.judged_by[0] - {1000, 1001, 1002}
    assert len(held_out) == 15
    assert learner.trained_on == [set(range(50)) - held_out] * 3
    assert learner.judged_by == [held_out | {1000, 1001, 1002}] * 3
    _, other = trained([3.0], validation_share=0.3, seed=1)
    assert other.judged_by[0] != learner.judged_by[0]


def test_a_share_that_leaves_nothing_on_one_side_is_refused() -> None:
    with pytest.raises(IsoformError) as caught:
        trained([1.0], count=3, patience=1)
    assert caught.value.what == "0.1 of 3 training samples are 0: nothing is left on one side."
    assert caught.value.hint == "Choose another validation_share, or more data."


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (3, 1), (1, 2), (2, 3), (50, 2)])
def test_the_parts_of_all_workers_are_the_batch_in_its_order(count: int, workers: int) -> None:
    inputs, labels = np.arange(38), np.arange(38) % 10
    parts = [part for rank in range(workers) for part in parts_of(inputs, labels, count, rank, workers)]
    assert [int(number) for part in parts for number in part.inputs] == list(range(38))
    assert all((part.labels == part.inputs % 10).all() for part in parts)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert all(part.share == len(part.inputs) / 38 for part in parts)


def test_a_worker_without_a_sample_takes_part_with_a_share_of_nothing() -> None:
    (first,), (second,) = (parts_of(np.array([7.0]), np.array([3]), 4, rank, 2) for rank in range(2))
    assert (first.share, second.share, second.inputs.tolist()) == (1.0, 0.0, [7.0])


@pytest.mark.parametrize("samples", range(1, 12))
def test_all_workers_have_as_many_parts(samples: int) -> None:
    inputs = np.arange(samples)
    found = [parts_of(inputs, inputs, 4, rank, 3) for rank in range(3)]
    assert len({len(parts) for parts in found}) == 1
    assert [int(n) for parts in found for part in parts if part.share for n in part.inputs] == list(range(samples))
