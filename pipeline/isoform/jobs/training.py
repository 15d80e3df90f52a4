"""Training a reference model: the loop that both frameworks share, seeded, and resumable after any interruption.

One folder holds one training. ``state.npz`` is the last finished epoch: every variable of network and optimizer, and
the curve so far; it is replaced as a whole. Order of samples and random numbers of an epoch follow from (seed, epoch)
alone, so that an interrupted run, started again, ends with the curve it would have had. ``training.json`` comes last.

Not aware of frameworks: a `Learner` holds network and optimizer.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from isoform import data, store
from isoform.core.decisions import CALIBRATED, LARGEST_BYTES, TRAINING, WANTED
from isoform.core.model import TrainingPlan
from isoform.core.signature import Signature, TensorSpec
from isoform.data.dataset import Array, Dataset, Split
from isoform.data.tokenizer import fit, tokenizer_json
from isoform.errors import IsoformError
from isoform.jobs import training_state
from isoform.jobs.curves import write_curves

SCHEMA_VERSION = 1
RECORD_NAME = "training.json"
SAMPLES_NAME = "samples.npz"
CURVES_NAME = "tensorboard"
_EVENT_INTERVAL_S = 0.2

Progress = Callable[..., None]


class Learner(Protocol):
    """A network with its optimizer. Inputs and labels are numpy arrays."""

    parameters: int
    """How many numbers are trained."""
    packages: tuple[str, ...]
    """Distributions whose versions belong in the record."""

    def begin_epoch(self, seed: int, learning_rate: float) -> None:
        """Seed what is random within an epoch, and set the step size."""

    def train(self, inputs: Array, labels: Array) -> tuple[float, int]:
        """Take one step; return the mean loss and the number of right answers before it."""

    def evaluate(self, inputs: Array, labels: Array) -> tuple[float, int]:
        """Return the mean loss and the number of right answers, without learning."""

    def state(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on: tensors that numpy turns into arrays one at a time."""

    def restore(self, state: dict[str, Array]) -> None:
        """Take over what `state` returned in an earlier process."""

    def save(self, path: Path) -> None:
        """Write the checkpoint."""


@dataclass(frozen=True)
class Job:
    """The arguments of a training, read from JSON.

    Attributes:
        key: stands for everything that the result depends on; a state with another key is not continued.
        source: a name that isoform.data knows.
        tokenizer: file name and vocabulary size, for inputs of token ids.
        is_forced: start over, whatever is there.
    """

    out: Path
    key: str
    framework: str
    checkpoint: str
    input: TensorSpec
    plan: TrainingPlan
    source: str
    data_dir: Path | None
    tokenizer: tuple[str, int] | None
    is_forced: bool

    @classmethod
    def from_json(cls, arguments: dict[str, Any]) -> "Job":
        tokenizer, data_dir = arguments.get("tokenizer"), arguments.get("data_dir")
        signature = Signature.from_json(arguments["signature"])
        if len(signature.inputs) != 1:
            raise IsoformError(
                f"Training takes a model with one input, this one has {len(signature.inputs)}.",
                "Train it with your own code and put the checkpoint beside its isoform.toml.",
            )
        return cls(
            Path(arguments["out"]),
            arguments["key"],
            arguments["framework"],
            arguments["checkpoint"],
            signature.inputs[0],
            TrainingPlan(**arguments["plan"]),
            arguments["source"],
            Path(data_dir) if data_dir else None,
            (tokenizer["file"], tokenizer["vocabulary_size"]) if tokenizer else None,
            arguments.get("is_forced", False),
        )


def run(
    arguments: dict[str, Any], make_learner: Callable[[TrainingPlan], Learner], progress: Progress
) -> dict[str, Any]:
    """Train, and return the content of ``training.json``; a finished training with the same key is returned as it is.

    Raises:
        IsoformError: the data cannot be read or the loss is no longer finite.
    """
    job = Job.from_json(arguments)
    job.out.mkdir(parents=True, exist_ok=True)
    with _alone_in(job.out):
        finished = _finished(job)
        if finished is not None:
            return finished
        dataset = _dataset(job)
        learner = make_learner(job.plan)
        epochs = _epochs(job, learner, dataset, progress)
        return _finish(job, learner, dataset, epochs)


def _finished(job: Job) -> dict[str, Any] | None:
    """Return the record of this very training if it is there, its files unaltered, and nobody wants it made anew."""
    if job.is_forced:
        for name in (RECORD_NAME, training_state.STATE_NAME):
            (job.out / name).unlink(missing_ok=True)
    record = store.read_json(job.out / RECORD_NAME)
    if not isinstance(record, dict) or record.get("key") != job.key:
        return None
    files = {name: job.out / name for name in record["files"]}
    is_whole = all(path.is_file() and store.digest_file(path) == record["files"][name] for name, path in files.items())
    return record if is_whole else None


def _dataset(job: Job) -> Dataset:
    """Return the data, and leave the tokenizer and the sample inputs in the folder."""
    raw = data.read(job.source, job.input, job.data_dir)
    tokenizer = None
    if job.tokenizer is not None and isinstance(raw.train.samples, tuple):
        tokenizer = job.out / job.tokenizer[0]
        store.write_bytes(tokenizer, tokenizer_json(fit(raw.train.samples, job.tokenizer[1])))
    dataset = data.prepare(raw, job.input, tokenizer)
    name = job.input.name
    parts = {name: _first(dataset.test, WANTED), f"{TRAINING}{name}": _first(dataset.train, CALIBRATED)}
    with publishing_file(job.out / SAMPLES_NAME) as path:
        np.savez_compressed(path, allow_pickle=False, **parts)
    return dataset


def _first(split: Split, count: int) -> Array:
    """Return the first samples, as many as fit."""
    single, _ = split.batch(np.arange(1))
    samples, _ = split.batch(np.arange(min(count, len(split), max(1, LARGEST_BYTES // single.nbytes))))
    return samples


def _epochs(job: Job, learner: Learner, dataset: Dataset, progress: Progress) -> list[dict[str, Any]]:
    """Train what is left of the plan, and return the record of every epoch."""
    history: list[dict[str, Any]] = []
    state = training_state.load(job.out, job.key)
    if state is not None:
        variables, history = state
        learner.restore(variables)
    for epoch in range(len(history) + 1, job.plan.epochs + 1):
        history.append(_one_epoch(job, learner, dataset, epoch, progress))
        with publishing_file(job.out / training_state.STATE_NAME) as path:
            training_state.save(path, job.key, learner.state(), history)
        write_curves(job.out / CURVES_NAME, history)
        progress(**history[-1], epochs=job.plan.epochs)
    return history


def _one_epoch(job: Job, learner: Learner, dataset: Dataset, epoch: int, progress: Progress) -> dict[str, Any]:
    begin = reported = time.monotonic()
    learner.begin_epoch(job.plan.seed * 10_007 + epoch, _learning_rate(job.plan, epoch))
    order = np.random.default_rng([job.plan.seed, epoch]).permutation(len(dataset.train))
    steps = -(-len(order) // job.plan.batch_size)
    seen, loss, right = 0, 0.0, 0
    for step, (inputs, labels) in enumerate(dataset.train.batches(job.plan.batch_size, order), start=1):
        batch_loss, batch_right = learner.train(inputs, labels)
        seen, loss, right = seen + len(labels), loss + batch_loss * len(labels), right + batch_right
        if not np.isfinite(loss):
            raise IsoformError(
                f"The loss is {batch_loss} at step {step} of epoch {epoch}.", "Lower learning_rate in isoform.toml."
            )
        if step == steps or time.monotonic() - reported > _EVENT_INTERVAL_S:
            reported = time.monotonic()
            progress(
                epoch=epoch, epochs=job.plan.epochs, step=step, steps=steps, loss=loss / seen, accuracy=right / seen
            )
    test_loss, test_accuracy = _evaluation(learner, dataset.test, job.plan.batch_size)
    return {
        "epoch": epoch,
        "loss": loss / seen,
        "accuracy": right / seen,
        "test_loss": test_loss,
        "test_accuracy": test_accuracy,
        "seconds": time.monotonic() - begin,
        "finished_at": time.time(),
    }


def _learning_rate(plan: TrainingPlan, epoch: int) -> float:
    """Return the step size of an epoch: it falls linearly, so that the last epochs settle whatever the seed."""
    return plan.learning_rate * (1 - (epoch - 1) / plan.epochs)


def _evaluation(learner: Learner, split: Split, batch_size: int) -> tuple[float, float]:
    """Return mean loss and accuracy over a split."""
    loss, right = 0.0, 0
    for inputs, labels in split.batches(batch_size):
        batch_loss, batch_right = learner.evaluate(inputs, labels)
        loss, right = loss + batch_loss * len(labels), right + batch_right
    return loss / len(split), right / len(split)


def _finish(job: Job, learner: Learner, dataset: Dataset, epochs: list[dict[str, Any]]) -> dict[str, Any]:
    with publishing_file(job.out / job.checkpoint) as path:
        learner.save(path)
    names = [job.checkpoint, SAMPLES_NAME, *([job.tokenizer[0]] if job.tokenizer else [])]
    record = {
        "schema_version": SCHEMA_VERSION,
        "framework": job.framework,
        "dataset": dataset.to_json(),
        "epochs": epochs,
        "test_accuracy": epochs[-1]["test_accuracy"] if epochs else None,
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "parameters": learner.parameters,
        "seed": job.plan.seed,
        "key": job.key,
        "files": {name: store.digest_file(job.out / name) for name in names},
        "versions": {package: metadata.version(package) for package in (*learner.packages, "numpy")},
    }
    store.write_json(job.out / RECORD_NAME, record)
    (job.out / training_state.STATE_NAME).unlink(missing_ok=True)
    return record


@contextmanager
def publishing_file(path: Path) -> Iterator[Path]:
    """Give a temporary path with the same suffix; when the block ends without an error it becomes ``path``."""
    temporary = path.with_name(f".partial.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process trains in ``folder``; the lock ends with the process, however that ends."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
