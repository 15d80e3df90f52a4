"""A scheduler and workers as processes of their own, as people start them, and tasks for them without a framework."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isoform.executor.tasks import Task

HERE = Path(__file__).parent
PRELOAD = HERE / "fake_tasks.py"
PATIENCE_S = 60.0

JOBS = """
import json, os, time
from pathlib import Path

def _begun(arguments):
    with open(arguments["ledger"], "a") as ledger:
        ledger.write(json.dumps([arguments["name"], os.getpid()]) + "\\n")

def echo(arguments, progress):
    _begun(arguments)
    return {"said": arguments["name"]}

def segfault(arguments, progress):
    _begun(arguments)
    os.kill(os.getpid(), 11)

def quiet_exit(arguments, progress):
    _begun(arguments)
    os._exit(0)

def wait(arguments, progress):
    _begun(arguments)
    while not Path(arguments["gate"]).exists():
        time.sleep(0.02)
    return {"said": arguments["name"]}
"""


class Plan:
    """Fake tasks of one test, and a ledger of when which one began.

    Args:
        folder: gets the code of the jobs, the ledger and what the client leaves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger, self.gate = folder, folder / "ledger", folder / "gate"
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "jobs_under_test.py").write_text(JOBS)

    def task(self, name: str, job: str = "echo", memory_bytes: int = 1, gpus: int = 0) -> Task:
        """Return a task that runs ``job`` in a child."""
        arguments = {
            "name": name, "job": job, "root": str(self.code), "ledger": str(self.ledger), "gate": str(self.gate),
        }  # fmt: skip
        return Task("fake", name, arguments, (self.code,), memory_bytes, gpus)

    def begun(self) -> list[tuple[str, int]]:
        """Return which tasks have begun, each with the process of its child."""
        if not self.ledger.exists():
            return []
        return [(name, pid) for name, pid in map(json.loads, self.ledger.read_text().splitlines())]

    def wait_for(self, name: str) -> int:
        """Return the process of the task's child, once it has begun."""
        return wait_until(lambda: dict(self.begun()).get(name), f"{name} has not begun")


def wait_until(look: Any, what: str) -> Any:
    """Return what ``look`` finds, as soon as that is anything."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} after {PATIENCE_S:g} s")


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def scheduler(port: int, protocol: str = "tcp", **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``dask scheduler`` until the block ends; it answers when it begins."""
    words = ["scheduler", "--host", f"{protocol}://127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"]
    with _running(words, variables) as process:
        wait_until(lambda: _is_answering(port), "the scheduler does not answer")
        yield process


@contextmanager
def worker(
    address: str,
    *,
    resources: str = "memory=1000 GPU=1",
    preload: Path = PRELOAD,
    nanny: bool = False,
    **variables: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``dask worker`` with one thread until the block ends."""
    words = ["worker", address, "--nthreads", "1", "--resources", resources, "--preload", str(preload)]
    words += ["--nanny" if nanny else "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
    with _running(words, variables) as process:
        yield process


@contextmanager
def _running(words: list[str], variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _is_answering(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0
