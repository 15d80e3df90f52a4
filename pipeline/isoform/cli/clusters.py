"""``--scheduler``: tasks on a Dask cluster, or on worker processes of this machine; what is told meanwhile."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from isoform.cli.console import Display
from isoform.errors import MissingDependency, UsageError
from isoform.executor.tasks import Answer, Task

if TYPE_CHECKING:
    from distributed import Client

EMBEDDED = "local"
_PROTOCOLS = ("tcp://", "tls://")


@dataclass(frozen=True)
class Where:
    """Where tasks run.

    Attributes:
        scheduler: its address, or ``local``.
        workers: how many, as typed; None for as many as fit.
    """

    scheduler: str
    workers: int | None


def where(context: click.Context) -> Where | None:
    """Return what ``--scheduler`` and ``--workers`` say; None for threads of this process.

    Raises:
        UsageError: no such address, or a number of workers for a cluster that has its own.
        MissingDependency: distributed is not installed.
    """
    scheduler = context.params["scheduler"]
    if scheduler is None:
        return None
    if scheduler != EMBEDDED and not scheduler.startswith(_PROTOCOLS):
        raise UsageError(
            f"--scheduler '{scheduler}' is no address.", "Write tcp://HOST:PORT, tls://HOST:PORT or local."
        )
    is_typed = context.get_parameter_source("workers") is ParameterSource.COMMANDLINE
    if is_typed and scheduler != EMBEDDED:
        raise UsageError(
            "--workers does not go with a scheduler of your own.", "Its workers are those that were started for it."
        )
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise MissingDependency.of("distributed", "--scheduler", "cluster") from None
    return Where(scheduler, context.params["workers"] if is_typed else None)


def run_all(
    place: Where,
    tasks: Sequence[Task],
    out: Path,
    modules: Iterable[str],
    display: Display,
    on_event: Callable[[int, Mapping[str, Any]], None],
    on_done: Callable[[int, Answer], None],
) -> None:
    """Do every task; what came of one is told and not kept.

    Raises:
        IsoformError: the cluster as a whole cannot do it.
    """
    from isoform.executor.cluster import Cluster

    with _client(place, tasks, display) as client:
        cluster = Cluster(client, Path.cwd() / out, frozenset(modules), lambda text: display.note("cluster", text))
        if cluster.dashboard is not None:
            display.note("cluster", f"dashboard: {cluster.dashboard}")
        cluster.run_all(tasks, on_event, on_done)


@contextmanager
def _client(place: Where, tasks: Sequence[Task], display: Display) -> "Iterator[Client]":
    from isoform.executor import cluster, embedded

    if place.scheduler != EMBEDDED:
        with cluster.connected(place.scheduler) as client:
            yield client
        return
    workers = place.workers or embedded.count(task.memory_bytes for task in tasks)
    display.note("cluster", f"starting {workers} worker process{'es' * (workers != 1)}")
    with embedded.started(workers) as client:
        yield client
