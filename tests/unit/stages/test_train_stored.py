"""Trainings out of a store: the same files without a job, and only where everything is the same."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from isoform.cache import Store, open_store, upkeep
from isoform.core.model import load_manifest
from isoform.isolation import Answer
from isoform.stages import train

from .test_train import FakePool, network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return network(tmp_path / "net")


@pytest.fixture
def cache(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), pytest.fail)


def trained(folder: Path, out: str, pool: Any, cache: Store | None, **changes: Any) -> train.TrainRecord:
    request = train.TrainRequest((load_manifest(folder),), folder.parent / out, ("torch",), **changes)
    (task,) = train.plan(request)
    return train.run(task, pool, None, cache)


def test_another_folder_gets_the_same_files_and_no_job_runs(folder: Path, cache: Store) -> None:
    pool = FakePool()
    first, second = (trained(folder, out, pool, cache) for out in ("one", "two"))
    assert len(pool.calls) == 1
    assert second.is_reused
    assert second.of_store.startswith("from the store, of 20")
    assert second.record == first.record
    assert second.checkpoint == folder.parent / "two" / "net" / "torch" / "training" / "weights.safetensors"
    assert second.checkpoint.read_bytes() == first.checkpoint.read_bytes()
    third = trained(folder, "two", pool, cache)
    assert (third.is_reused, third.of_store) == (True, "")


def test_a_training_that_was_there_before_the_store_joins_it(folder: Path, cache: Store) -> None:
    pool = FakePool()
    trained(folder, "one", pool, None)
    trained(folder, "one", pool, cache)
    assert trained(folder, "two", pool, cache).of_store
    assert len(pool.calls) == 1


def test_clocks_and_times_of_files_play_no_role(folder: Path, cache: Store) -> None:
    pool = FakePool()
    trained(folder, "one", pool, cache)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    trained(folder, "two", pool, cache)
    assert len(pool.calls) == 1
    status = (folder / "torch_model.py").stat()
    (folder / "torch_model.py").write_text("def build(size): pass")  # as long as before, and as old
    os.utime(folder / "torch_model.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    trained(folder, "three", pool, cache)
    assert len(pool.calls) == 2


def test_another_option_or_force_trains(folder: Path, cache: Store) -> None:
    pool = FakePool()
    trained(folder, "one", pool, cache)
    trained(folder, "two", pool, cache, options={"epochs": 3})
    trained(folder, "three", pool, cache, is_forced=True)
    assert len(pool.calls) == 3


def test_a_training_whose_source_changes_meanwhile_is_not_kept(folder: Path, cache: Store) -> None:
    class Changing(FakePool):
        def call(self, *arguments: Any, **options: Any) -> Answer:
            (folder / "torch_model.py").write_text("def build(size): return 1\n")
            return super().call(*arguments, **options)

    trained(folder, "one", Changing(), cache)
    assert upkeep.contents(cache.area).entries == ()


def test_a_folder_in_which_another_process_trains_is_left_to_it(folder: Path, cache: Store) -> None:
    pool = FakePool()
    trained(folder, "one", pool, cache)
    busy = folder.parent / "two" / "net" / "torch" / "training"
    busy.mkdir(parents=True)
    with (busy / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        trained(folder, "two", pool, cache)  # the job waits for the other one
    assert len(pool.calls) == 2
