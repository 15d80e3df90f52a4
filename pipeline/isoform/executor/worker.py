"""What runs on a worker: functions of this module alone, found there by name, of bytes that are JSON.

A task is done in children of the worker's process, so that what crashes is the task's own child and never the worker.
Children stay warm from one task of a run to the next, and end with the run, or when nothing has come for a while.
"""

import asyncio
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from distributed import get_worker

from isoform.errors import IsoformError, VersionSkew, of_system
from isoform.executor import versions
from isoform.executor.tasks import KINDS, from_bytes, to_bytes
from isoform.isolation import Pool, PoolClosed

IDLE_S = 120.0
"""How long children wait for the next task of a run whose client may be gone."""
PATIENCE_S = 10.0
"""How long a file that the client has just written may take to be seen: network file systems remember what was not."""


def run(content: bytes) -> bytes:
    """Return what came of a task: record, error and exit code, and whether this worker may do such tasks at all."""
    asked = from_bytes(content)
    emit = _emitter(asked["topic"], asked["place"])
    refusal = _unfit(asked["versions"], Path(asked["token"]), asked["run"])
    if refusal is not None:
        return to_bytes({"unfit": refusal.to_json()})
    task = asked["task"]
    unseen = [path for path in task["sources"] if not os.path.exists(path)]
    if unseen:
        error = IsoformError(
            f"Worker {_me()} does not see {unseen[0]}.",
            "Put sources where every worker has them under the same path.",
            kind="unseen",
        )
        return _answer(None, error.to_json(), error.exit_code)
    try:
        with _RUNS.pool(asked["run"], Path(asked["log_dir"])) as pool:
            emit({"begun": _me()})
            record, exit_code = KINDS[task["kind"]](task["arguments"], pool, emit)
    except PoolClosed:
        return to_bytes({"interrupted": True})
    except IsoformError as error:
        return _answer(None, error.to_json(), error.exit_code)
    except OSError as error:
        refused = of_system(error)
        return _answer(None, refused.to_json(), refused.exit_code)
    return _answer(record, None, exit_code)


async def look(content: bytes) -> bytes:
    """Return what this worker is: its name, its versions and whether it sees what the client has just written."""
    asked = from_bytes(content)
    token = Path(asked["token"])
    for _ in range(int(PATIENCE_S / 0.5)):
        if _sees(token, asked["run"]):
            break
        await asyncio.sleep(0.5)
    found = versions.here(asked["modules"])
    return to_bytes({"worker": _me(), "versions": found, "is_shared": _sees(token, asked["run"]) and _writes(token)})


async def end(content: bytes) -> bytes:
    """End a run: its children, busy or idle; a task of it that begins later is not done."""
    await asyncio.to_thread(_RUNS.end, from_bytes(content)["run"])
    return b"{}"


@dataclass
class _Run:
    """The children of one run, and how many tasks use them."""

    pool: Pool
    users: int = 0
    timer: threading.Timer | None = None


@dataclass
class _Runs:
    """The runs that this worker works for."""

    _open: dict[str, _Run] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def pool(self, name: str, log_dir: Path) -> Iterator[Pool]:
        """Give the children of a run.

        Raises:
            PoolClosed: it has been ended.
        """
        with self._lock:
            if name in self._ended:
                raise PoolClosed
            run = self._open.get(name) or self._open.setdefault(name, _Run(Pool(log_dir)))
            run.users += 1
            if run.timer is not None:
                run.timer.cancel()
        try:
            yield run.pool
        finally:
            with self._lock:
                run.users -= 1
                if run.users == 0 and name in self._open:
                    run.timer = threading.Timer(IDLE_S, self._forget, (name,))
                    run.timer.daemon = True
                    run.timer.start()

    def end(self, name: str) -> None:
        """End a run for good."""
        with self._lock:
            self._ended.add(name)
        self._forget(name, is_forced=True)

    def _forget(self, name: str, is_forced: bool = False) -> None:
        with self._lock:
            run = self._open.get(name)
            if run is None or (run.users and not is_forced):
                return
            del self._open[name]
            if run.timer is not None:
                run.timer.cancel()
        run.pool.close()


_RUNS = _Runs()


def _emitter(topic: str, place: int) -> Any:
    """Return what tells the client an event of this task, from whichever thread."""
    worker = get_worker()
    return lambda event: worker.log_event(topic, to_bytes({"place": place, **event}).decode())


def _unfit(wanted: dict[str, str], token: Path, run_name: str) -> IsoformError | None:
    """Return why no task of this run may be done here; a worker may have come after the client has looked at all."""
    found = versions.differences(wanted, _here(run_name, frozenset(wanted)))
    if found:
        return skew(_me(), found)
    return None if _sees(token, run_name) and _writes(token) else blind(_me(), token.parents[1])


@lru_cache(maxsize=8)
def _here(run_name: str, names: frozenset[str]) -> dict[str, str]:
    """Return what this worker has, looked up once a run: reading all code takes as long as a small conversion."""
    return versions.here(names - versions.OWN)


def skew(worker: str, found: list[str]) -> VersionSkew:
    """Return the error for a worker with other versions."""
    return VersionSkew(
        f"Worker {worker} differs from this machine: {'; '.join(found)}.",
        "Give both the same environment, then start the worker anew.",
    )


def blind(worker: str, out: Path) -> IsoformError:
    """Return the error for a worker that has another file system."""
    return IsoformError(
        f"Worker {worker} cannot see what this machine writes to {out}, or cannot write there.",
        "Choose an --out on a file system that every worker has under the same path.",
        kind="unseen",
    )


def _sees(token: Path, run_name: str) -> bool:
    try:
        return token.read_text() == run_name
    except OSError:
        return False


def _writes(token: Path) -> bool:
    return os.access(token.parent, os.W_OK) and os.access(token.parents[1], os.W_OK)


def _answer(record: Any, error: Any, exit_code: int) -> bytes:
    return to_bytes({"record": record, "error": error, "exit_code": exit_code, "worker": _me()})


def _me() -> str:
    return f"{platform.node()}:{os.getpid()}"
