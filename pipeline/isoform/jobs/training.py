"""Training a reference model: the files of it, the same for both frameworks, resumable after any interruption.

One folder holds one training. ``state.npz`` is the last finished epoch: every variable of network and optimizer, and
the curve so far; it is replaced as a whole. Order of samples and random numbers of an epoch follow from (seed, epoch)
alone, so that an interrupted run, started again, ends with the curve it would have had. Where the best epoch is kept,
its checkpoint waits as ``best.<checkpoint>``, written before the state that knows it. ``training.json`` comes last.

Not aware of frameworks: a `Learner` holds network and optimizer.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from isoform import data, store
from isoform._child import peak_rss_bytes
from isoform.core.decisions import CALIBRATED, LARGEST_BYTES, TRAINING, WANTED
from isoform.core.signature import Signature, TensorSpec
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array, Dataset, Split
from isoform.data.tokenizer import fit, tokenizer_json
from isoform.errors import IsoformError
from isoform.jobs import training_state
from isoform.jobs.curves import write_curves
from isoform.jobs.training_epochs import Course, Epoch, Progress, Stepper

SCHEMA_VERSION = 1
RECORD_NAME = "training.json"
SAMPLES_NAME = "samples.npz"
CURVES_NAME = "tensorboard"
BEST_PREFIX = "best."
_TIMED_STEPS = 60


class Learner(Stepper, Protocol):
    """A network with its optimizer."""

    parameters: int
    """How many numbers are trained."""
    packages: tuple[str, ...]
    """Distributions whose versions belong in the record."""

    def graph(self, inputs: Array) -> bytes | None:
        """Return the network as TensorBoard draws it, a serialised GraphDef; None where it cannot be told."""

    def state(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on: tensors that numpy turns into arrays one at a time."""

    def restore(self, state: dict[str, Array]) -> None:
        """Take over what `state` returned in an earlier process."""

    def save(self, path: Path) -> None:
        """Write the checkpoint: the network in float32, whatever it was trained in."""


@dataclass(frozen=True)
class Job:
    """The arguments of a training, read from JSON.

    Attributes:
        key: stands for everything that the result depends on; a state with another key is not continued.
        source: a name that isoform.data knows.
        tokenizer: file name and vocabulary size, for inputs of token ids.
        is_forced: start over, whatever is there.
        rank: which worker this is; the first one alone writes files.
        one_worker: the times of a worker alone, which the scaling is told against.
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
    rank: int
    one_worker: dict[str, Any] | None

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
            arguments.get("rank", 0),
            arguments.get("one_worker"),
        )


def run(
    arguments: dict[str, Any], make_learner: Callable[[TrainingPlan], Learner], progress: Progress
) -> dict[str, Any]:
    """Train, and return the content of ``training.json``; a finished training with the same key is returned as it is.

    Raises:
        IsoformError: the data cannot be read or the loss is no longer finite.
    """
    job = Job.from_json(arguments)
    if job.rank:
        return _helped(job, make_learner)
    job.out.mkdir(parents=True, exist_ok=True)
    with _alone_in(job.out):
        finished = _finished(job)
        if finished is not None:
            return finished
        dataset = _dataset(job, job.out)
        learner = make_learner(job.plan)
        return _finish(job, learner, dataset, _trained(job, learner, dataset, progress))


def time_steps(arguments: dict[str, Any], make_learner: Callable[[TrainingPlan], Learner]) -> dict[str, Any]:
    """Return what the steps of one worker alone take, as ``training.json`` has it; nothing is kept."""
    job = Job.from_json(arguments)
    plan = replace(job.plan, workers=1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(job, Path(folder))
    course = Course(plan, make_learner(plan), dataset, [])
    course.take_steps(_TIMED_STEPS)
    return course.times.to_json()


def _helped(job: Job, make_learner: Callable[[TrainingPlan], Learner]) -> dict[str, Any]:
    """Take this worker's part in a training whose files the first worker writes."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(job, Path(folder))
    learner = make_learner(job.plan)
    course = _begun(job, learner, dataset)
    while not course.is_over:
        course.run_epoch(lambda **event: None)
    return {}


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


def _dataset(job: Job, folder: Path) -> Dataset:
    """Return the data, and leave the tokenizer and the sample inputs in ``folder``."""
    raw = data.read(job.source, job.input, job.data_dir)
    tokenizer = None
    if job.tokenizer is not None and isinstance(raw.train.samples, tuple):
        tokenizer = folder / job.tokenizer[0]
        store.write_bytes(tokenizer, tokenizer_json(fit(raw.train.samples, job.tokenizer[1])))
    dataset = data.prepare(raw, job.input, tokenizer)
    name = job.input.name
    parts = {name: _first(dataset.test, WANTED), f"{TRAINING}{name}": _first(dataset.train, CALIBRATED)}
    with publishing_file(folder / SAMPLES_NAME) as path:
        np.savez_compressed(path, allow_pickle=False, **parts)
    return dataset


def _first(split: Split, count: int) -> Array:
    """Return the first samples, as many as fit."""
    single, _ = split.batch(np.arange(1))
    samples, _ = split.batch(np.arange(min(count, len(split), max(1, LARGEST_BYTES // single.nbytes))))
    return samples


def _begun(job: Job, learner: Learner, dataset: Dataset) -> Course:
    """Return the training as far as an earlier process has brought it, its state put into ``learner``."""
    history: list[Epoch] = []
    best_path = job.out / f"{BEST_PREFIX}{job.checkpoint}"
    state = training_state.load(job.out, job.key)
    if state is not None and (job.plan.keep == "last" or best_path.is_file()):
        variables, history = state
        learner.restore(variables)
    return Course(job.plan, learner, dataset, history, job.rank)


def _trained(job: Job, learner: Learner, dataset: Dataset, progress: Progress) -> Course:
    """Train what is left of the plan, and return how it went."""
    best_path = job.out / f"{BEST_PREFIX}{job.checkpoint}"
    graph = learner.graph(dataset.test.batch(np.arange(1))[0])
    course = _begun(job, learner, dataset)
    history = course.history
    while not course.is_over:
        course.run_epoch(progress)
        if job.plan.keep == "best" and course.best is history[-1]:
            with publishing_file(best_path) as path:
                learner.save(path)
        with publishing_file(job.out / training_state.STATE_NAME) as path:
            training_state.save(path, job.key, learner.state(), history)
        write_curves(job.out / CURVES_NAME, history, graph)
        progress(**history[-1], epochs=job.plan.epochs)
    return course


def _finish(job: Job, learner: Learner, dataset: Dataset, course: Course) -> dict[str, Any]:
    best_path = job.out / f"{BEST_PREFIX}{job.checkpoint}"
    with publishing_file(job.out / job.checkpoint) as path:
        if job.plan.keep == "best" and course.history:
            shutil.copyfile(best_path, path)
        else:
            learner.save(path)
    names = [job.checkpoint, SAMPLES_NAME, *([job.tokenizer[0]] if job.tokenizer else [])]
    record = {
        "schema_version": SCHEMA_VERSION,
        "framework": job.framework,
        "dataset": dataset.to_json(),
        "options": asdict(job.plan),
        "epochs": course.history,
        "kept_epoch": course.kept["epoch"] if course.kept else None,
        "stopped_early": course.has_stopped_early,
        "test_accuracy": course.kept["test_accuracy"] if course.kept else None,
        "seconds": sum(epoch["seconds"] for epoch in course.history),
        **course.times.to_json(),
        "peak_rss_bytes": peak_rss_bytes(),
        "scaling": _scaling(job, course),
        "parameters": learner.parameters,
        "seed": job.plan.seed,
        "key": job.key,
        "files": {name: store.digest_file(job.out / name) for name in names},
        "versions": {package: metadata.version(package) for package in (*learner.packages, "numpy")},
    }
    store.write_json(job.out / RECORD_NAME, record)
    for leftover in (job.out / training_state.STATE_NAME, best_path):
        leftover.unlink(missing_ok=True)
    return record


def _scaling(job: Job, course: Course) -> dict[str, Any] | None:
    """Return how much faster the workers are than one of them alone, with the same batch; None for one worker."""
    together, alone = course.times.to_json()["step_ms"], (job.one_worker or {}).get("step_ms")
    if together is None or alone is None:
        return None
    speedup = alone["p50"] / together["p50"]
    return {
        "workers": job.plan.workers,
        "cores_per_worker": int(os.environ["OMP_NUM_THREADS"]),
        "one_worker_step_ms": alone,
        "step_ms": together,
        "speedup": speedup,
        "efficiency": speedup / job.plan.workers,
    }


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
