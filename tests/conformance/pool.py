"""Worker processes: each holds one target's runtime and answers case after case.

A case that ends its process, or takes longer than the limit, is classified; the process is started anew for the rest.
"""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from conformance.verdicts import CRASHED, Verdict

CASE_LIMIT_S = 180.0
_START_LIMIT_S = 300.0
_TESTS = str(Path(__file__).parents[1])
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}
"""Cases are small: processes run side by side, each on one thread, and every process counts the same way."""

Report = Callable[[str, Verdict], None]


def run(target: str, names: Sequence[str], folder: Path, jobs: int, report: Report) -> dict[str, Verdict]:
    """Return a verdict for every case, asked of ``jobs`` processes.

    Args:
        folder: where ``suite.pack`` wrote the cases.
        report: called with each verdict as it comes, from one thread at a time.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)
    found: dict[str, Verdict] = {}
    failures: list[BaseException] = []
    lock = threading.Lock()

    def serve() -> None:
        try:
            with Worker(target, folder) as worker:
                while not failures:
                    name = waiting.get_nowait()
                    verdict = worker.ask(name)
                    with lock:
                        found[name] = verdict
                        report(name, verdict)
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - a thread's exception would be lost: it is raised below
            failures.append(error)

    threads = [threading.Thread(target=serve) for _ in range(min(jobs, len(names)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt as interruption:
        failures.append(interruption)  # each thread ends with the case that it is at
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return {name: found[name] for name in names}


class Worker:
    """One process of one target, started on the first question and again after each that it did not survive."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()
        self._log.close()

    def ask(self, name: str) -> Verdict:
        """Return the verdict on one case; a process that dies or is late is one too."""
        if self._process is None:
            self._start()
        answer = self._answer(CASE_LIMIT_S, name)
        if answer is None:
            self._end()
            return Verdict(CRASHED, f"no answer within {CASE_LIMIT_S:.0f} s")
        if not answer:
            return Verdict(CRASHED, f"{_ending(self._end(is_dead=True))}: {self._last_words()}")
        asked, word, reason = json.loads(answer)
        assert asked == name, "answers come in the order of the questions"
        return Verdict(word, reason)

    def _end(self, *, is_dead: bool = False) -> int:
        """Return the exit status of the process, which is killed unless it has ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if not is_dead:
            process.kill()
        process.communicate()
        return process.returncode

    def _start(self) -> None:
        paths = [_TESTS, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment: dict[str, Any] = {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "conformance.worker", self._target, str(self._folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment,
        )  # fmt: skip
        if not self._answer(_START_LIMIT_S):
            self._end()
            raise RuntimeError(f"the process for '{self._target}' does not start: {self._last_words()}")

    def _answer(self, limit_s: float, question: str | None = None) -> str | None:
        """Return one line; an empty one if the process has ended, None if the time is over."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if question is not None:
                self._process.stdin.write(f"{question}\n")
                self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        ready, _, _ = select.select([self._process.stdout], [], [], limit_s)
        return self._process.stdout.readline() if ready else None

    def _last_words(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        return (self._log.read().decode(errors="replace").strip().splitlines() or ["without a word"])[-1][:300]


def _ending(status: int) -> str:
    return f"the process ended with {signal.Signals(-status).name if status < 0 else f'exit code {status}'}"
