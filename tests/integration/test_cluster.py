"""Tasks on real schedulers and workers: what crashes, is killed, restarted or refused, and what is left of it."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="not installed: pip install 'isoform[cluster]'")

import dask_processes as processes
from dask_processes import Plan
from isoform.errors import IsoformError, UsageError, VersionSkew
from isoform.executor import cluster
from isoform.executor.cluster import Cluster, connected
from isoform.executor.tasks import Answer, Task

pytestmark = pytest.mark.filterwarnings("ignore:unclosed")  # sockets of connections that a killed process has left
TESTS = Path(processes.__file__).parent


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """Give the address of a scheduler with two workers, one with a nanny and one without."""
    port = processes.free_port()
    address = f"tcp://127.0.0.1:{port}"
    with processes.scheduler(port), processes.worker(address, nanny=True), processes.worker(address):
        with connected(address) as client:
            client.wait_for_workers(2, timeout=processes.PATIENCE_S)
        yield address


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(tmp_path)


class Run:
    """One run of tasks on a cluster, what was told meanwhile kept."""

    def __init__(self, address: str, plan: Plan, patience_s: float = 20.0, timeout_s: float = 20.0) -> None:
        self.address, self.plan, self.patience_s, self.timeout_s = address, plan, patience_s, timeout_s
        self.told: list[str] = []
        self.events: list[tuple[int, Any]] = []

    def __call__(self, *tasks: Task) -> list[Answer]:
        with connected(self.address, self.timeout_s) as client:
            there = Cluster(client, self.plan.folder, frozenset(), self.told.append, patience_s=self.patience_s)
            answers: dict[int, Answer] = {}
            there.run_all(tasks, lambda *event: self.events.append(event), answers.__setitem__)
            return [answers[place] for place in range(len(tasks))]

    def in_background(self, *tasks: Task) -> "Background":
        return Background(self, tasks)


class Background(threading.Thread):
    """A run that goes on while a test does something to it."""

    def __init__(self, run: Run, tasks: tuple[Task, ...]) -> None:
        super().__init__(daemon=True)
        self._run, self._tasks = run, tasks
        self._answers: list[Answer] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._answers = self._run(*self._tasks)
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it again
            self._error = error

    def answers(self) -> list[Answer]:
        self.join(processes.PATIENCE_S)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error
        return self._answers


def test_a_child_that_dies_is_its_own_tasks_failure_and_no_worker_dies_of_it(shared: str, plan: Plan) -> None:
    run = Run(shared, plan)
    jobs = ["echo", "segfault", "echo", "quiet_exit", "echo", "segfault", "echo", "echo"]
    answers = run(*(plan.task(str(place), job) for place, job in enumerate(jobs)))
    assert [answer.record["said"] if answer.record else answer.error.kind for answer in answers] == [
        "0", "crashed", "2", "crashed", "4", "crashed", "6", "7"
    ]  # fmt: skip
    assert "SIGSEGV" in answers[1].error.what
    assert sorted(name for name, _ in plan.begun()) == list("01234567"), "each once"
    assert len({answer.worker for answer in answers if answer.worker}) == 2, "the workers are those of the beginning"
    assert {place for place, event in run.events if event.get("text") == "working"} == set(range(8))
    assert run.told == []
    assert not [pid for _, pid in plan.begun() if processes.is_running(pid)], "no child is left"


def test_the_same_plan_twice_gives_the_same(shared: str, plan: Plan) -> None:
    tasks = [plan.task("one"), plan.task("two")]
    first, second = Run(shared, plan)(*tasks), Run(shared, plan)(*tasks)
    assert [answer.record["said"] for answer in first] == [answer.record["said"] for answer in second] == ["one", "two"]


def test_what_no_worker_has_is_refused_by_name_and_the_rest_is_done(shared: str, plan: Plan) -> None:
    answers = Run(shared, plan)(
        plan.task("large", memory_bytes=2_000_000_000), plan.task("small", memory_bytes=1000),
        plan.task("wide", gpus=2), plan.task("drawn", gpus=1),
    )  # fmt: skip
    assert [answer.record["said"] if answer.record else answer.error.what for answer in answers] == [
        "large declares 2.0 GB; the largest worker has 0.0 GB.", "small",
        "wide wants 2 GPU; no worker with 0.0 GB has as many.", "drawn",
    ]  # fmt: skip


def test_a_source_that_a_worker_does_not_see(shared: str, plan: Plan, tmp_path: Path) -> None:
    task = Task("fake", "x", {}, (tmp_path / "elsewhere.onnx",), 1)
    (answer,) = Run(shared, plan)(task)
    assert answer.error.kind == "unseen"
    assert f"does not see {tmp_path}/elsewhere.onnx." in answer.error.what


def test_an_interruption_ends_what_runs_on_workers(shared: str, plan: Plan) -> None:
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
import test_cluster_driver
test_cluster_driver.main({shared!r}, Path({str(plan.folder)!r}))
"""
    (plan.folder / "test_cluster_driver.py").write_text(DRIVER)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=plan.folder,
        env={**os.environ, "PYTHONPATH": f"{plan.folder}:{os.environ.get('PYTHONPATH', '')}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as client:  # fmt: skip
        children = [plan.wait_for("one"), plan.wait_for("two")]
        client.send_signal(signal.SIGINT)
        try:
            out, _ = client.communicate(timeout=processes.PATIENCE_S)
        finally:
            client.kill()  # one that did not end would keep the workers from the tests that follow
    assert out == "interrupted\n"
    processes.wait_until(lambda: not any(map(processes.is_running, children)), "children still run")
    assert Run(shared, plan)(plan.task("after"))[0].record["said"] == "after"
    assert [name for name, _ in plan.begun()].count("three") == 0, "what had not begun never does"


def test_what_goes_wrong_here_is_not_told_as_the_schedulers_and_ends_what_runs(shared: str, plan: Plan) -> None:
    def full(place: int, answer: Answer) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with connected(shared, 20.0) as client:
        there = Cluster(client, plan.folder, frozenset(), lambda text: None)
        with pytest.raises(OSError, match="No space left on device"):
            there.run_all([plan.task("one", "wait"), plan.task("two")], lambda *_: None, full)
    processes.wait_until(lambda: not any(processes.is_running(pid) for _, pid in plan.begun()), "a child still runs")
    assert Run(shared, plan)(plan.task("after"))[0].record["said"] == "after"


DRIVER = """
from isoform.executor import cluster
from isoform.executor.cluster import Cluster, connected
from dask_processes import Plan

def main(address, folder):
    plan = Plan.__new__(Plan)
    plan.folder, plan.ledger, plan.gate, plan.code = folder, folder / "ledger", folder / "gate", folder / "code"
    tasks = [plan.task(name, "wait") for name in ("one", "two", "three")]
    try:
        with connected(address) as client:
            Cluster(client, folder, frozenset(), print).run_all(tasks, lambda *_: None, lambda *_: None)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_a_killed_worker_costs_its_own_task_once_more(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LOOK_S", 0.1)
    port = processes.free_port()
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.enter_context(processes.scheduler(port))
        stack.enter_context(processes.worker(address, resources="memory=10"))
        doomed = stack.enter_context(processes.worker(address, resources="memory=1000"))
        with connected(address) as client:
            client.wait_for_workers(2, timeout=processes.PATIENCE_S)
        run = Run(address, plan)
        ahead = run.in_background(
            plan.task("large", "wait", memory_bytes=1000), plan.task("small", "wait"), plan.task("next")
        )
        plan.wait_for("small")
        orphan = plan.wait_for("large")
        doomed.kill()
        processes.wait_until(lambda: not processes.is_running(orphan), "the child of a killed worker still runs")
        stack.enter_context(processes.worker(address, resources="memory=1000"))
        processes.wait_until(lambda: [name for name, _ in plan.begun()].count("large") == 2, "large is not done again")
        plan.gate.touch()
        answers = ahead.answers()
    assert [answer.record["said"] for answer in answers] == ["large", "small", "next"]
    names = [name for name, _ in plan.begun()]
    assert (names.count("small"), names.count("large"), names.count("next")) == (1, 2, 1)
    assert any("is gone; what it was at is done again" in text for text in run.told)


def test_a_scheduler_that_is_killed_is_told_in_one_line_and_a_new_one_does_the_rest(plan: Plan) -> None:
    port = processes.free_port()
    address = f"tcp://127.0.0.1:{port}"
    run = Run(address, plan)
    with processes.scheduler(port) as first, processes.worker(address):
        ahead = run.in_background(plan.task("one", "wait"))
        plan.wait_for("one")
        first.kill()
        with pytest.raises(IsoformError) as told:
            ahead.answers()
        plan.gate.touch()  # a worker without a scheduler finishes what it is at, for up to half a minute
    assert told.value.what == f"The scheduler at {address} is gone."
    assert "run the same command" in told.value.hint
    with pytest.raises(IsoformError, match="No Dask scheduler answers at"), connected(address, timeout_s=1.0):
        pass
    with processes.scheduler(port), processes.worker(address):
        assert run(plan.task("one", "wait"))[0].record["said"] == "one"


def test_a_worker_with_other_versions_is_refused_before_anything_runs(plan: Plan) -> None:
    port = processes.free_port()
    address = f"tcp://127.0.0.1:{port}"
    with (
        processes.scheduler(port),
        processes.worker(address, preload=TESTS / "fake_versions.py", PYTHONPATH=str(TESTS)),
        pytest.raises(VersionSkew) as told,
    ):
        Run(address, plan)(plan.task("never"))
    assert "numpy" in told.value.what
    assert "here and 1.0 there." in told.value.what
    assert told.value.exit_code == 3
    assert plan.begun() == []


def test_without_a_worker_it_says_how_to_start_one(plan: Plan) -> None:
    port = processes.free_port()
    run = Run(f"tcp://127.0.0.1:{port}", plan, patience_s=0.5)
    with processes.scheduler(port), pytest.raises(IsoformError) as told:
        run(plan.task("never"))
    assert told.value.what == "The scheduler has had no worker for 0.5 s."
    assert told.value.hint == f"Start one: dask worker tcp://127.0.0.1:{port} --resources 'memory=8e9'"
    assert run.told == ["waiting for a worker"]


def test_with_certificates_and_not_without(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    import dask
    from distributed import Security

    made = Security.temporary()
    variables = {}
    for role in ("scheduler", "worker", "client"):
        for what in ("cert", "key"):
            path = plan.folder / f"{role}-{what}.pem"
            path.write_text(getattr(made, f"tls_{role}_{what}"))
            variables[f"DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__{what.upper()}"] = str(path)
    (plan.folder / "ca.pem").write_text(made.tls_ca_file)
    variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(plan.folder / "ca.pem")
    variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "True"
    port = processes.free_port()
    address = f"tls://127.0.0.1:{port}"
    with processes.scheduler(port, "tls", **variables), processes.worker(address, **variables):
        with pytest.raises(UsageError) as told, connected(address):
            pass
        assert told.value.what == f"Dask's configuration names no certificates for {address}."
        with pytest.raises(IsoformError, match="No Dask scheduler answers at tcp"):
            Run(address.replace("tls", "tcp"), plan, timeout_s=1.0)(plan.task("open"))
        mine = {"ca-file": "CA_FILE", "client.cert": "CLIENT__CERT", "client.key": "CLIENT__KEY"}
        named = {key: variables[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] for key, name in mine.items()}
        with dask.config.set({f"distributed.comm.tls.{key}": path for key, path in named.items()}):
            assert Run(address, plan)(plan.task("sealed"))[0].record["said"] == "sealed"
