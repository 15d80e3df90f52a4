"""A cluster of worker processes on this machine, as many as memory and cores allow, behind certificates of its own.

Whoever can speak to a Dask scheduler can run code as its owner; so it listens on this machine alone and takes nobody
without the certificates, which are made for the time of the run and are never on disk.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client, Nanny, Scheduler, Security, SpecCluster
from distributed.system import MEMORY_LIMIT

from isoform.core import machine

RESERVE_BYTES = 1_000_000_000
"""Of the machine's memory, for this process and the system."""
_DEVICES = Path("/dev")


def count(needed_bytes: Iterable[int]) -> int:
    """Return how many workers: as many as there are cores, tasks, and shares of memory that hold the largest task.

    Args:
        needed_bytes: of each task; those for which the whole machine is too small do not count.
    """
    possible = [need for need in needed_bytes if need <= _memory()]
    return max(1, min(machine.cores(), len(possible), _memory() // max(possible, default=1)))


@contextmanager
def started(workers: int, preload: Sequence[str] = ()) -> Iterator[Client]:
    """Give a client of a new cluster of ``workers`` processes; all of it ends with the context.

    Args:
        preload: files that every worker loads first.
    """
    security = Security.temporary()
    options = {
        "nthreads": 1, "memory_limit": 0, "security": security, "host": "127.0.0.1", "dashboard": False,
        "preload": ["isoform.executor.undisturbed", *preload], "silence_logs": "CRITICAL",
    }  # fmt: skip
    gpus = _gpus()
    specification = {
        place: {
            "cls": Nanny,
            "options": {
                **options,
                "resources": {"memory": _memory() // workers, **({"GPU": 1} if place < gpus else {})},
                "env": {"CUDA_VISIBLE_DEVICES": str(place)} if place < gpus else {},
            },
        }
        for place in range(workers)
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "security": security, "dashboard_address": "127.0.0.1:0"},
    }
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 2}),
        SpecCluster(workers=specification, scheduler=scheduler, security=security, silence_logs="CRITICAL") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _memory() -> int:
    return int(MEMORY_LIMIT) - RESERVE_BYTES


def _gpus() -> int:
    """Return how many NVIDIA devices the system shows."""
    return len(list(_DEVICES.glob("nvidia[0-9]*")))
