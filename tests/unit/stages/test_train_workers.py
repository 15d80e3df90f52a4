"""Children that work together, their jobs without a framework: what each is told, and what if one of them fails."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.stages import train_workers

JOBS = """
import os, signal, time

NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG", "OMP_NUM_THREADS")

def tell(arguments, progress):
    progress(rank=arguments["rank"])
    mine = {name: os.environ[name] for name in NAMES}
    return mine | {"rank": arguments["rank"]}

def die(arguments, progress):
    if arguments["rank"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)

def miss(arguments, progress):
    if arguments["rank"] == 1:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("Connection closed by peer")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "team_jobs.py").write_text(JOBS)
    return tmp_path


def call(root: Path, name: str, **named: Any) -> Any:
    with Pool(root / "logs") as pool:
        return train_workers.call(
            f"team_jobs:{name}", {"folder": str(root)}, 2, pool, needs="torch", root=root, **named
        ).value


def test_each_is_told_its_rank_in_the_way_of_both_frameworks_and_the_first_one_answers(root: Path) -> None:
    heard: list[Any] = []
    told = call(root, "tell", on_progress=heard.append)
    assert (told["rank"], told["RANK"], told["WORLD_SIZE"], told["MASTER_ADDR"]) == (0, "0", "2", "127.0.0.1")
    cluster = json.loads(told["TF_CONFIG"])
    assert cluster["task"] == {"type": "worker", "index": 0}
    places = {told["MASTER_PORT"], *(place.rpartition(":")[2] for place in cluster["cluster"]["worker"])}
    assert len(places) == 3
    assert told["OMP_NUM_THREADS"] == str(train_workers.cores_each(2))
    assert heard == [{"rank": 0}]


def test_when_one_dies_the_others_are_ended_and_it_is_named(root: Path) -> None:
    with Pool(root / "logs") as pool:
        with pytest.raises(IsoformError) as caught:
            train_workers.call("team_jobs:die", {}, 2, pool, needs="torch", root=root)
        assert pool._all == set()
    assert caught.value.what == "Worker 2 of 2 failed: team_jobs.die was killed, most likely for memory."
    assert caught.value.kind == "out-of-memory"


def test_one_that_died_is_told_before_one_that_missed_it(root: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        call(root, "miss")
    assert caught.value.what.startswith("Worker 2 of 2 failed: team_jobs.miss was killed")


def test_cores_are_shared_out_and_each_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [train_workers.cores_each(count) for count in (1, 2, 3, 16)] == [8, 4, 2, 1]
