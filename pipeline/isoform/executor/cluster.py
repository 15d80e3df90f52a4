"""The side that asks a Dask cluster: looks at its workers, sends tasks, passes their events on, cancels.

At any time there are as many tasks with the scheduler as workers have threads. So a worker that dies takes nothing with
it but what it was at, which Dask gives to another one; and this process holds what is under way and not the whole plan.
"""

import logging
import queue
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Client, Future, Security
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from isoform.errors import ChildFailed, IsoformError, UsageError, from_json
from isoform.executor import versions, worker
from isoform.executor.tasks import Answer, Task, from_bytes, to_bytes

LOOK_S = 2.0
"""How often the workers are looked at while tasks run."""
PATIENCE_S = 60.0
"""How long a plan waits for a worker that it needs and that is not there, or not any more."""
CONNECT_S = 20.0

OnEvent = Callable[[int, Mapping[str, Any]], None]
"""Called with a task's place and what happens to it, from another thread."""
OnDone = Callable[[int, Answer], None]


@dataclass(frozen=True)
class Worker:
    """One worker as the scheduler knows it."""

    address: str
    host: str
    threads: int
    resources: Mapping[str, float]

    def has(self, task: Task) -> bool:
        """Tell whether it could ever do the task."""
        return all(self.resources.get(name, 0) >= amount for name, amount in task.resources.items())


@dataclass
class Cluster:
    """A scheduler, its workers, and the one run that this process has there.

    Args:
        out: the folder of results; a file in it tells whether workers see the same files.
        modules: packages whose versions have to be the same.
        tell: called with a sentence for people.
    """

    client: Client
    out: Path
    modules: frozenset[str]
    tell: Callable[[str], None]
    patience_s: float = PATIENCE_S
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    _ours: dict[str, str] = field(init=False)
    _known: dict[str, Worker] = field(default_factory=dict)
    _running: dict[int, tuple[Future, Task]] = field(default_factory=dict)
    _looked: float = 0.0
    _missed: float | None = None

    def __post_init__(self) -> None:
        self._ours = versions.here(self.modules)

    @property
    def token(self) -> Path:
        return self.out / ".logs" / f"run-{self.name}"

    @property
    def threads(self) -> int:
        """How many tasks run at a time at most."""
        return sum(each.threads for each in self._known.values())

    @property
    def dashboard(self) -> str | None:
        """Where to watch the cluster; None where its scheduler has no bokeh to draw with."""
        has_bokeh = self.client.run_on_scheduler(versions.has_bokeh)
        return str(self.client.dashboard_link) if has_bokeh and self.client.dashboard_link else None

    def run_all(self, tasks: Iterable[Task], on_event: OnEvent, on_done: OnDone) -> None:
        """Do every task; what came of one is told and not kept.

        Raises:
            MissingDependency: a worker has other versions; nothing was started, or all was cancelled.
            IsoformError: no worker, one with other files, or the scheduler is gone.
        """

        def heard(event: tuple[float, str]) -> None:
            message = from_bytes(event[1].encode())
            if int(message["place"]) in self._running:
                on_event(int(message["place"]), message)

        self.token.parent.mkdir(parents=True, exist_ok=True)
        self.token.write_text(self.name)
        try:
            self._wait_for_workers()
            self.client.subscribe_topic(self.name, heard)
            self._run(tasks, on_done)
            self._end_children()
        except BaseException as error:  # Ctrl-C too: nothing may begin any more, what runs ends, the error goes on
            self._cancel()
            if isinstance(error, CommClosedError) or (isinstance(error, OSError) and self.client.status != "running"):
                raise self._lost() from error
            raise
        finally:
            self.token.unlink(missing_ok=True)

    def _run(self, tasks: Iterable[Task], done: OnDone) -> None:
        arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
        waiting = iter(enumerate(tasks))
        is_all = False
        while not (is_all and not self._running):
            while not is_all and len(self._running) < max(1, self.threads):
                place, task = next(waiting, (-1, None))
                if task is None:
                    is_all = True
                elif not any(each.has(task) for each in self._known.values()):
                    done(place, Answer.refused(self._too_large(task)))
                else:
                    self._submit(place, task, arrived)
            with suppress(queue.Empty):
                place = arrived.get(timeout=LOOK_S / 4)
                future, task = self._running.pop(place)
                done(place, self._answered(future, task))
            self._look()

    def _submit(self, place: int, task: Task, arrived: "queue.SimpleQueue[int]") -> None:
        content = to_bytes({
            "run": self.name, "topic": self.name, "place": place, "task": task.to_json(), "token": str(self.token),
            "log_dir": str(self.token.parent), "versions": self._ours,
        })  # fmt: skip
        future = self.client.submit(
            worker.run, content, key=f"isoform-{self.name}-{place}", resources=task.resources, pure=False, retries=0
        )
        self._running[place] = future, task
        future.add_done_callback(lambda _: arrived.put(place))

    def _answered(self, future: Future, task: Task) -> Answer:
        if future.status in ("cancelled", "lost"):
            raise self._lost()
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                return Answer.refused(
                    ChildFailed(
                        f"{error.allowed_failures + 1} workers died while they were at {task.name}.",
                        "See the logs of the workers; most likely their machine ran out of memory.",
                    )
                )
            raise IsoformError(
                f"The cluster cannot run {task.name}: {type(error).__name__}: {error}",
                "The scheduler and every worker need isoform in their environment.",
                kind="cluster",
            )
        found = from_bytes(future.result())
        if "unfit" in found:
            raise from_json(found["unfit"])
        if "interrupted" in found:
            raise IsoformError(
                f"{task.name} was cancelled on its worker.", "Run the same command again.", kind="cluster"
            )
        return Answer.from_json(found)

    def _wait_for_workers(self) -> None:
        deadline, is_told = time.monotonic() + self.patience_s, False
        while not self._look(is_first=True):
            if not is_told:
                self.tell("waiting for a worker")
                is_told = True
            if time.monotonic() > deadline:
                raise IsoformError(
                    f"The scheduler has had no worker for {self.patience_s:g} s.",
                    f"Start one: dask worker {self.client.scheduler.address} --resources 'memory=8e9'",
                    kind="no-worker",
                )
            time.sleep(LOOK_S / 4)

    def _look(self, is_first: bool = False) -> bool:
        """Look at who is there, a new worker closely; return whether there is one.

        Raises:
            MissingDependency: one has other versions.
            IsoformError: one has other files, or nobody is left who could do a task that is under way.
        """
        if not is_first and time.monotonic() - self._looked < LOOK_S:
            return bool(self._known)
        self._looked = time.monotonic()
        if self.client.status != "running":
            raise self._lost()
        found = {address: _worker(address, each) for address, each in _workers(self.client).items()}
        for address in self._known.keys() - found.keys():
            self.tell(f"worker {self._known[address].host} is gone; what it was at is done again")
        new = found.keys() - self._known.keys()
        self._admit(sorted(new))
        self._known = found
        self._give_up_on_what_nobody_can_do()
        return bool(found)

    def _admit(self, addresses: Sequence[str]) -> None:
        if not addresses:
            return
        asked = to_bytes({"modules": sorted(self.modules), "token": str(self.token), "run": self.name})
        answers = self.client.run(worker.look, asked, workers=list(addresses), on_error="return")
        for address, content in answers.items():
            if isinstance(content, OSError):
                continue  # it has gone meanwhile
            if isinstance(content, BaseException):
                raise IsoformError(
                    f"Worker {address} cannot answer: {type(content).__name__}: {content}",
                    "Install isoform[cluster] into its environment.",
                    kind="cluster",
                )
            found = from_bytes(content)
            differences = versions.differences(self._ours, found["versions"])
            if differences:
                raise worker.skew(f"{found['worker']} ({address})", differences)
            if not found["is_shared"]:
                raise worker.blind(f"{found['worker']} ({address})", self.out)

    def _give_up_on_what_nobody_can_do(self) -> None:
        stuck = [task for _, task in self._running.values() if not any(each.has(task) for each in self._known.values())]
        if not stuck:
            self._missed = None
            return
        self._missed = self._missed or time.monotonic()
        if time.monotonic() - self._missed > self.patience_s:
            raise IsoformError(
                f"For {self.patience_s:g} s no worker is left that could do {stuck[0].name}.",
                "Start workers again, then run the same command: what is finished is not done again.",
                kind="no-worker",
            )

    def _too_large(self, task: Task) -> IsoformError:
        most = max((each.resources.get("memory", 0) for each in self._known.values()), default=0)
        if not most:
            return IsoformError(
                f"No worker says how much memory it has, and {task.name} declares {task.memory_bytes / 1e9:.1f} GB.",
                "Start workers with what they have: dask worker ADDRESS --resources 'memory=8e9'",
                kind="no-worker",
            )
        if most < task.memory_bytes:
            return IsoformError(
                f"{task.name} declares {task.memory_bytes / 1e9:.1f} GB; the largest worker has {most / 1e9:.1f} GB.",
                'Start a larger one, or say in its [[jobs]] what it takes: memory = "6 GB"',
                kind="no-worker",
            )
        return IsoformError(
            f"{task.name} wants {task.gpus} GPU; no worker with {task.memory_bytes / 1e9:.1f} GB has as many.",
            "Start workers with what they have: dask worker ADDRESS --resources 'memory=8e9 GPU=1'",
            kind="no-worker",
        )

    def _lost(self) -> IsoformError:
        return IsoformError(
            f"The scheduler at {self.client.scheduler.address if self.client.scheduler else 'its address'} is gone.",
            "Start it and its workers again, then run the same command: what is finished is not done again.",
            kind="no-scheduler",
        )

    def _cancel(self) -> None:
        """Let nothing begin any more, and end what runs."""
        with suppress(OSError, CommClosedError, TimeoutError):
            if self.client.status == "running":
                self.client.cancel([future for future, _ in self._running.values()], force=True)
                self._end_children()

    def _end_children(self) -> None:
        self.client.run(worker.end, to_bytes({"run": self.name}), on_error="ignore")


@contextmanager
def connected(address: str, timeout_s: float = CONNECT_S) -> Iterator[Client]:
    """Give a client of the scheduler at ``address``; TLS is as Dask's own configuration says.

    Raises:
        UsageError: tls:// without certificates.
        IsoformError: nobody answers there.
    """
    _quiet()
    if address.startswith("tls://") and Security().get_connection_args("client").get("ssl_context") is None:
        raise UsageError(
            f"Dask's configuration names no certificates for {address}.",
            "Set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY: see docs/cluster.md.",
        )
    try:
        client = Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise IsoformError(
            f"No Dask scheduler answers at {address}: {error}",
            "Start one: dask scheduler. One that was started with certificates is at tls:// instead of tcp://.",
            kind="no-scheduler",
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def _quiet() -> None:
    """Leave it to us to tell what becomes of the connection: distributed logs it as well, some of it much later."""
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)


def _workers(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _worker(address: str, record: Mapping[str, Any]) -> Worker:
    return Worker(address, str(record["host"]), int(record["nthreads"]), record["resources"])
