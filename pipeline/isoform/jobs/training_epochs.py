"""The epochs of a training: steps by the schedule, evaluation, which epoch is the best, and when it is over.

All that decides what happens next is the plan and the record of the epochs so far, so that a training that was
interrupted goes on as it would have.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from isoform._child import peak_rss_bytes
from isoform.core.schedule import learning_rate
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array, Dataset, Split
from isoform.errors import IsoformError
from isoform.jobs.training_times import StepTimes

_EVENT_INTERVAL_S = 0.2

Progress = Callable[..., None]
Epoch = dict[str, Any]


class Part(NamedTuple):
    """Some samples of a batch, and which share of the batch they are; of share 0, they are not to be counted."""

    inputs: Array
    labels: Array
    share: float


class Stepper(Protocol):
    """What the loop needs of a learner. Inputs and labels are numpy arrays."""

    def begin_epoch(self, seed: int) -> None:
        """Seed what is random within an epoch."""

    def train(self, parts: Sequence[Part], learning_rate: float) -> tuple[float, int]:
        """Take one step for a batch that comes in parts, whose gradients add up by their shares, over all workers.

        Return the batch's mean loss and its number of right answers before the step, on every worker the same.
        """

    def evaluate(self, parts: Sequence[Part]) -> tuple[float, int]:
        """Return the batch's mean loss and its number of right answers, without learning."""


class Course:
    """A training as far as it has come.

    Attributes:
        history: one record an epoch.
        times: of the steps that this process took.
    """

    def __init__(
        self, plan: TrainingPlan, learner: Stepper, dataset: Dataset, history: list[Epoch], rank: int = 0
    ) -> None:
        self._rank = rank
        self._plan, self._learner, self._dataset = plan, learner, dataset
        self.history = history
        self.times = StepTimes()
        drawn = np.random.default_rng([plan.seed, 0]).permutation(len(dataset.train))
        held_out = round(len(drawn) * plan.held_out)
        self._validation = np.sort(drawn[:held_out])
        self._training = np.sort(drawn[held_out:])
        if not len(self._training) or (plan.held_out and not held_out):
            raise IsoformError(
                f"{plan.held_out:g} of {len(drawn)} training samples are {held_out}: nothing is left on one side.",
                "Choose another validation_share, or more data.",
            )

    @property
    def best(self) -> Epoch | None:
        """The epoch with the best value so far of what the plan monitors; of equal ones the first."""
        return best_of(self._plan, self.history)

    @property
    def kept(self) -> Epoch | None:
        """The epoch whose weights become the checkpoint, as far as it has come."""
        return self.best if self._plan.keep == "best" else self.history[-1] if self.history else None

    @property
    def has_stopped_early(self) -> bool:
        """Whether the best epoch lies so many epochs back that the plan does not wait longer."""
        best = self.best
        return 0 < self._plan.patience <= (len(self.history) - best["epoch"] if best else 0)

    @property
    def is_over(self) -> bool:
        return len(self.history) >= self._plan.epochs or self.has_stopped_early

    def run_epoch(self, progress: Progress) -> None:
        """Train one more epoch and add its record to the history.

        Raises:
            IsoformError: the loss is no longer finite.
        """
        plan, epoch, begin, first = self._plan, len(self.history) + 1, time.monotonic(), len(self.times)
        self._learner.begin_epoch(plan.seed * 10_007 + epoch)
        loss, accuracy, rate = self._steps(epoch, progress)
        record = {"epoch": epoch, "loss": loss, "accuracy": accuracy, "learning_rate": rate}
        if len(self._validation):
            record |= self._evaluation("validation", self._dataset.train, self._validation)
        record |= self._evaluation("test", self._dataset.test, None)
        record |= self.times.to_json(since=first)
        record |= {"peak_rss_bytes": peak_rss_bytes(), "seconds": time.monotonic() - begin, "finished_at": time.time()}
        self.history.append(record)

    def take_steps(self, count: int) -> None:
        """Train for so many steps of the first epoch, begun again as often as needed; only their times are kept."""
        while len(self.times) < count:
            for inputs, labels in self._dataset.train.batches(self._plan.batch_size, self._training):
                begin = time.perf_counter()
                self._learner.train(self._parts(inputs, labels, self._plan.accumulate), self._plan.learning_rate)
                self.times.add(time.perf_counter() - begin, len(labels))
                if len(self.times) == count:
                    return

    def _steps(self, epoch: int, progress: Progress) -> tuple[float, float, float]:
        """Return the epoch's mean loss, its accuracy, and the learning rate of the last step."""
        plan = self._plan
        order = self._training[np.random.default_rng([plan.seed, epoch]).permutation(len(self._training))]
        steps = -(-len(order) // plan.batch_size)
        seen, loss, right, rate, reported = 0, 0.0, 0, 0.0, time.monotonic()
        for step, (inputs, labels) in enumerate(self._dataset.train.batches(plan.batch_size, order), start=1):
            rate = learning_rate(plan, (epoch - 1) * steps + step - 1, steps)
            begin = time.perf_counter()
            batch_loss, batch_right = self._learner.train(self._parts(inputs, labels, plan.accumulate), rate)
            self.times.add(time.perf_counter() - begin, len(labels))
            seen, loss, right = seen + len(labels), loss + batch_loss * len(labels), right + batch_right
            if not np.isfinite(loss):
                raise IsoformError(
                    f"The loss is {batch_loss} at step {step} of epoch {epoch}.", "Lower learning_rate in isoform.toml."
                )
            if step == steps or time.monotonic() - reported > _EVENT_INTERVAL_S:
                reported = time.monotonic()
                progress(
                    epoch=epoch, epochs=plan.epochs, step=step, steps=steps, loss=loss / seen, accuracy=right / seen
                )
        return loss / seen, right / seen, rate

    def _parts(self, inputs: Array, labels: Array, count: int) -> list[Part]:
        return parts_of(inputs, labels, count, self._rank, self._plan.workers)

    def _evaluation(self, name: str, split: Split, indices: Array | None) -> Epoch:
        """Return mean loss and accuracy over a split, or some of its samples."""
        loss, right, seen = 0.0, 0, 0
        for inputs, labels in split.batches(self._plan.batch_size, indices):
            batch_loss, batch_right = self._learner.evaluate(self._parts(inputs, labels, 1))
            loss, right, seen = loss + batch_loss * len(labels), right + batch_right, seen + len(labels)
        return {f"{name}_loss": loss / seen, f"{name}_accuracy": right / seen}


def best_of(plan: TrainingPlan, history: list[Epoch]) -> Epoch | None:
    """Return the epoch that the plan's patience counts from; None where nothing is held out or no epoch has ended.

    An epoch is better only if it is so by more than ``min_delta``.
    """
    best: Epoch | None = None
    name, sign = f"validation_{plan.monitor}", 1 if plan.monitor == "accuracy" else -1
    for epoch in history if plan.held_out else []:
        if best is None or sign * (epoch[name] - best[name]) > plan.min_delta:
            best = epoch
    return best


def parts_of(inputs: Array, labels: Array, count: int, rank: int = 0, workers: int = 1) -> list[Part]:
    """Return what the worker ``rank`` computes of a batch: its share, in ``count`` parts, each as equal as can be.

    All workers get the same number of parts, since they speak to each other in each: where samples do not suffice, a
    worker takes part with the first one, as a share of 0.
    """
    mine = np.array_split(np.arange(len(labels)), workers)[rank]
    most = -(-len(labels) // workers)
    return [
        Part(inputs[part[0] : part[-1] + 1], labels[part[0] : part[-1] + 1], len(part) / len(labels))
        if len(part)
        else Part(inputs[:1], labels[:1], 0.0)
        for part in np.array_split(mine, min(count, most))
    ]
