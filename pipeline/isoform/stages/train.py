"""The verb train: a checkpoint, a tokenizer and sample inputs for each model and framework, made once.

A training stands in ``<out>/<model>/<framework>/training/``. It is used again while its key and its files are
unaltered. A checkpoint beside the manifest comes first: then nothing is trained.
"""

import fcntl
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import isoform
from isoform import data, registry, store
from isoform.cache import Store, entry_key
from isoform.core.artifact import Artifact
from isoform.core.model import MANIFEST_NAME, Model
from isoform.errors import UsageError
from isoform.isolation import Answer, OwnChild
from isoform.stages import train_workers

FOLDER_NAME = "training"
RECORD_NAME = "training.json"
SAMPLES_NAME = "samples.npz"
SCHEMA_VERSION = 1
KIND = "training"
"""Of its entries in a store."""
_CURVES_NAME, _LOCK_NAME = "tensorboard", ".lock"
"""As jobs/training.py has them."""

Progress = Callable[["Task", dict[str, Any]], None]

_PACKAGES = {"torch": ("torch", "numpy"), "keras": ("keras", "tensorflow", "numpy")}
_NEEDS = {"torch": "torch", "keras": "tensorflow"}
_CODE = ("data/*.py", "data/*.toml", "jobs/train*.py", "hub/architecture.py", "core/schedule.py")


class Caller(Protocol):
    """The part of `isoform.isolation.Pool` that this stage uses."""

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        needs: str,
        root: Path | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        is_fresh: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return what the job answers in a child."""

    def own(
        self, needs: str, root: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> AbstractContextManager[OwnChild]:
        """Give a child for oneself."""


@dataclass(frozen=True)
class TrainRequest:
    """Which models to train.

    Attributes:
        frameworks: of those that each manifest has; empty for all of them.
        options: of the training, instead of the manifests' own.
        data_dir: a folder with real data sets instead of the bundled ones.
        is_forced: train again although an unaltered training is there.
    """

    models: tuple[Model, ...]
    out: Path
    frameworks: tuple[str, ...] = ()
    data_dir: Path | None = None
    is_forced: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One model in one framework.

    Attributes:
        is_given: the checkpoint stands beside the manifest and nothing is trained.
        key: digest of everything that a training depends on; empty for a given checkpoint.
        is_current: a training with this key is there, its files unaltered.
        is_forced: start over even then.
    """

    model: Model
    framework: str
    folder: Path
    data_dir: Path | None
    is_given: bool
    key: str
    is_current: bool
    is_forced: bool = False

    @property
    def workers(self) -> int:
        """How many processes train it."""
        return self.model.training.workers if self.model.training is not None else 1


@dataclass(frozen=True)
class TrainRecord:
    """A checkpoint that can be exported.

    Attributes:
        samples: an npz with test inputs under the input's name; None where nothing was trained.
        record: the content of training.json; empty where nothing was trained.
        is_reused: this call has not trained anything.
        of_store: what people are told where it came out of a store; empty otherwise.
    """

    model: Model
    framework: str
    checkpoint: Path
    tokenizer: Path | None
    samples: Path | None
    record: Mapping[str, Any]
    is_reused: bool
    of_store: str = ""

    @property
    def source(self) -> Artifact:
        """The checkpoint as the source of an export."""
        model = self.model
        return Artifact(
            self.framework,
            self.checkpoint,
            model.signature_for(self.framework),
            model.architecture(self.framework),
            self.tokenizer,
        )


def plan(request: TrainRequest) -> list[Task]:
    """Return a task for each model and framework, in the order asked for.

    Raises:
        UsageError: a model has neither a checkpoint nor a training plan, or not the framework asked for; an option is
            not known or not with this value, or given for a model that is not trained.
        IsoformError: ``data_dir`` lacks a file.
    """
    return [
        _task(request, model, framework)
        for model in request.models
        for framework in (request.frameworks or tuple(model.implementations))
    ]


def run(task: Task, pool: Caller, on_progress: Progress | None = None, cache: Store | None = None) -> TrainRecord:
    """Return the checkpoint of ``task``, trained now if it is neither there yet nor in ``cache``.

    Raises:
        IsoformError: the data cannot be read, or training failed.
    """
    if task.is_given:
        return _record(task, task.model.root, None, {}, is_reused=True)
    if task.is_current:
        if cache is not None and not cache.has(KIND, entry_key(training=task.key)):
            _keep(task, cache)
        return _record(
            task, task.folder, SAMPLES_NAME, store.read_json(task.folder / RECORD_NAME) or {}, is_reused=True
        )
    stored = _stored(task, cache) if cache is not None else None
    if stored is not None:
        return stored
    function, needs = f"isoform.jobs.train_{task.framework}", _NEEDS[task.framework]
    listener = (lambda event: on_progress(task, event)) if on_progress else None
    if task.workers > 1:
        answer = _together(task, pool, function, needs, listener)
    else:
        answer = pool.call(
            f"{function}:train",
            _arguments(task),
            needs=needs,
            root=task.model.root,
            on_progress=listener,
            is_fresh=True,  # training seeds and configures its framework for the whole process
            environment=train_workers.SIDE_BY_SIDE,
        )
    if cache is not None and _key(task.model, task.framework, task.data_dir) == task.key:  # else its input has changed
        _keep(task, cache)
    return _record(task, task.folder, SAMPLES_NAME, answer.value, is_reused=False)


def _keep(task: Task, cache: Store) -> None:
    """Put the training that stands in its folder into the store."""
    files = (store.read_json(task.folder / RECORD_NAME) or {})["files"]
    name = f"{task.model.label}/{task.framework}"
    cache.put(KIND, entry_key(training=task.key), name, task.folder, [*files, RECORD_NAME, *_curves(task.folder)])


def _stored(task: Task, cache: Store) -> TrainRecord | None:
    """Return the training that the store has, copied to where it would have been made."""
    if task.is_forced or _is_busy(task.folder):
        return None
    hit = cache.get(KIND, entry_key(training=task.key), task.folder)
    if hit is None:
        return None
    record = store.read_json(task.folder / RECORD_NAME) or {}
    return replace(_record(task, task.folder, SAMPLES_NAME, record, is_reused=True), of_store=hit.told)


def _is_busy(folder: Path) -> bool:
    """Tell whether another process trains in ``folder``: its files are not replaced, the job waits for it."""
    try:
        with (folder / _LOCK_NAME).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _curves(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.glob(f"{_CURVES_NAME}/**/*") if path.is_file()]


def _together(
    task: Task, pool: Caller, function: str, needs: str, listener: Callable[[dict[str, Any]], None] | None
) -> Answer:
    """Time steps of one worker alone, then let all of them train."""
    root, cores = task.model.root, train_workers.cores_each(task.workers)
    arguments = _arguments(task)
    one = pool.call(
        f"{function}:time_steps", arguments, needs=needs, root=root, is_fresh=True,
        environment=train_workers.alone(cores),
    )  # fmt: skip
    return train_workers.call(
        f"{function}:train", arguments | {"one_worker": one.value}, task.workers, pool, needs=needs, root=root,
        on_progress=listener,
    )  # fmt: skip


def _task(request: TrainRequest, model: Model, framework: str) -> Task:
    folder = request.out / model.label / framework / FOLDER_NAME
    checkpoint = model.root / model.implementation(framework).checkpoint
    if checkpoint.is_file():
        if request.options:
            raise UsageError(
                f"{checkpoint} is there, so that nothing is trained and '{next(iter(request.options))}' means nothing.",
                "Leave training options out, or move the checkpoint away.",
            )
        return Task(model, framework, folder, None, is_given=True, key="", is_current=True)
    if model.training is None or model.data is None:
        raise UsageError(
            f"{model.root}: there is no {checkpoint.name}, and {MANIFEST_NAME} does not say how to train one.",
            f"Put {checkpoint.name} there, or add [data] and [train] sections.",
        )
    model = replace(model, training=model.training.with_options(request.options))
    key = _key(model, framework, request.data_dir)
    is_current = not request.is_forced and _is_current(folder, key)
    return Task(model, framework, folder, request.data_dir, False, key, is_current, request.is_forced)


def _key(model: Model, framework: str, data_dir: Path | None) -> str:
    """Return the digest of all that decides what a training ends with."""
    arguments = _training_arguments(model, framework)
    return store.digest_of(
        {
            "arguments": {name: value for name, value in arguments.items() if name != "architecture"},
            "network": [model.implementation(framework).factory, dict(model.parameters)],
            "manifest": store.digest_file(model.root / MANIFEST_NAME),
            "sources": store.digest_sources(model.root),
            "data": _data_digest(model, framework, data_dir),
            "code": store.digest_files(Path(isoform.__file__).parent, _CODE),
            "versions": {package: registry.version_of(package) for package in _PACKAGES[framework]},
        }
    )


def _data_digest(model: Model, framework: str, data_dir: Path | None) -> dict[str, str]:
    """Return the digests of the files of a real data set; the code's digest stands for a bundled one."""
    if data_dir is None or model.data is None:
        return {}
    files = data.source_files(model.data, model.signature_for(framework).inputs[0], data_dir)
    return {str(path.relative_to(data_dir)): store.digest_file(path) for path in files}


def _is_current(folder: Path, key: str) -> bool:
    record = store.read_json(folder / RECORD_NAME)
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION or record.get("key") != key:
        return False
    return all(
        (folder / name).is_file() and store.digest_file(folder / name) == digest
        for name, digest in record["files"].items()
    )


def _arguments(task: Task) -> dict[str, Any]:
    return _training_arguments(task.model, task.framework) | {
        "out": str(task.folder.resolve()),
        "key": task.key,
        "data_dir": str(task.data_dir.resolve()) if task.data_dir else None,
        "is_forced": task.is_forced,
    }


def _training_arguments(model: Model, framework: str) -> dict[str, Any]:
    """Return what the training jobs take, without what concerns one place on disk."""
    assert model.training is not None
    tokenizer = model.tokenizer
    return {
        "framework": framework,
        "checkpoint": model.implementation(framework).checkpoint,
        "architecture": model.architecture(framework).to_json(),
        "signature": model.signature_for(framework).to_json(),
        "plan": asdict(model.training),
        "source": model.data,
        "tokenizer": {"file": tokenizer.file, "vocabulary_size": tokenizer.vocabulary_size} if tokenizer else None,
    }


def _record(
    task: Task, folder: Path, samples: str | None, record: Mapping[str, Any], *, is_reused: bool
) -> TrainRecord:
    wanted = task.model.tokenizer
    tokenizer = folder / wanted.file if wanted and (folder / wanted.file).is_file() else None
    return TrainRecord(
        task.model,
        task.framework,
        folder / task.model.implementation(task.framework).checkpoint,
        tokenizer,
        folder / samples if samples else None,
        record,
        is_reused,
    )
