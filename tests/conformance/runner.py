"""Many cases through one target, in worker processes: a crash or a hang costs one case, never the run."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from conformance.verdicts import CRASHED, Verdict

TESTS = Path(__file__).parents[1]
CASE_S = 120.0
"""How long one case may take, the start of the worker included."""


def run(target: str, names: Iterable[str], jobs: int, progress: Callable[[int], None]) -> dict[str, Verdict]:
    """Return the verdict of every case; ``progress`` is called with the number that is done."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)
    found: dict[str, Verdict] = {}

    def serve() -> None:
        worker = Worker(target)
        while not waiting.empty():
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                break
            found[name] = worker.judge(name)
            progress(len(found))
        worker.end()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(sorted(found.items()))


class Worker:
    """A process that judges one case after the other; it is started anew when it dies."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._process: subprocess.Popen[str] | None = None

    def judge(self, name: str) -> Verdict:
        """Return the verdict on ``name``, or what became of the process."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(CASE_S, process.kill)
        timer.start()
        try:
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            was_running = timer.is_alive()
            timer.cancel()
        if line:
            _, word, reason = json.loads(line)
            return Verdict(word, reason)
        self._process = None
        ended = process.wait()
        return Verdict(CRASHED, f"the process ended with {ended}" if was_running else f"no answer in {CASE_S:.0f} s")

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        environment: dict[str, Any] = os.environ | {
            "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "conformance.worker", self._target],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
