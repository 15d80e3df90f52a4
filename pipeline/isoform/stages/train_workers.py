"""Several children that train one network together, each told which it is in the way of its framework.

PyTorch's find each other by the variables that torchrun sets, TensorFlow's by TF_CONFIG. The cores of the machine are
shared out. When one of them fails, none can go on: the others are ended, and what failed first is told.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from isoform.errors import ChildFailed, IsoformError
from isoform.isolation import Answer, OwnChild

SIDE_BY_SIDE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For children that train while others work too: waiting threads must not hold a core."""
_HOST = "127.0.0.1"
_OTHERS_S = 2.0
"""How long others get to fail too: one that died is the cause, one that misses it is not."""


class Owner(Protocol):
    """The part of `isoform.isolation.Pool` that this needs."""

    def own(
        self, needs: str, root: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> AbstractContextManager[OwnChild]:
        """Give a child for oneself."""


def call(
    function: str,
    arguments: Mapping[str, Any],
    workers: int,
    pool: Owner,
    *,
    needs: str,
    root: Path,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
) -> Answer:
    """Return what the first of ``workers`` children answers; each is given its ``rank``.

    Raises:
        IsoformError: one of them failed; it is named.
        PoolClosed: the pool was closed meanwhile.
    """
    with ExitStack() as stack:
        children = [stack.enter_context(pool.own(needs, root, environment)) for environment in _environments(workers)]
        threads = stack.enter_context(ThreadPoolExecutor(workers))
        stack.callback(_end, children)  # before the threads are waited for
        asked = [
            threads.submit(child.call, function, {**arguments, "rank": rank}, None if rank else on_progress)
            for rank, child in enumerate(children)
        ]
        return _first_answer(asked)


def alone(cores: int) -> dict[str, str]:
    """Return the environment of a child that may use so many cores."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return SIDE_BY_SIDE | dict.fromkeys(names, str(cores))


def cores_each(workers: int) -> int:
    """Return how many cores each of ``workers`` gets."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _first_answer(asked: "list[Future[Answer]]") -> Answer:
    """Wait for the first worker to answer or for any of them to fail."""
    left = set(asked)
    while not asked[0].done():
        done, left = wait(left, return_when=FIRST_COMPLETED)
        if any(each.exception() for each in done):
            wait(left, timeout=_OTHERS_S)
            break
    failed = {rank: error for rank, each in enumerate(asked) if each.done() and (error := each.exception())}
    if not failed:
        return asked[0].result()
    rank, error = min(failed.items(), key=lambda item: not isinstance(item[1], ChildFailed))
    if isinstance(error, IsoformError):
        raise IsoformError(
            f"Worker {rank + 1} of {len(asked)} failed: {error.what}", error.hint, kind=error.kind
        ) from error
    raise error


def _end(children: list[OwnChild]) -> None:
    for child in children:
        child.child.close()


def _environments(workers: int) -> Iterator[dict[str, str]]:
    """Yield the variables of each worker."""
    ports = _free_ports(workers + 1)
    cluster = {"worker": [f"{_HOST}:{port}" for port in ports[1:]]}
    for rank in range(workers):
        yield {
            **alone(cores_each(workers)),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(workers),
            "LOCAL_WORLD_SIZE": str(workers),
            "MASTER_ADDR": _HOST,
            "MASTER_PORT": str(ports[0]),
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}}),
        }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
