"""One batch as a user runs it, watched from outside: how many are done, and what each kind of process holds."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

EVERY_S = 0.5
_TOLD = 30
"""Lines of a command that failed."""
_DONE = ("PASS", "WARN", "FAIL", "ERROR", "NOT VERIFIED", "INCONCLUSIVE")


@dataclass
class Watched:
    """What one run took.

    Attributes:
        seconds: from the first result to the last, so that what is started once does not count for each.
        start_s: until the first result.
        busy_s: of all processors together.
        parent: jobs done, and bytes that the command itself held then.
        worker_bytes: the most that one worker held, its children apart.
        children_bytes: the most that all children of one process held together.
    """

    label: str
    workers: int
    jobs: int
    passed: int = 0
    seconds: float = 0.0
    start_s: float = 0.0
    busy_s: float = 0.0
    result_bytes: int = 0
    worker_bytes: int = 0
    children_bytes: int = 0
    parent: list[tuple[int, int]] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Models a second."""
        return (self.jobs - 1) / self.seconds

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def watch(jobs: Path, count: int, label: str, workers: int, words: Sequence[str], out: Path) -> Watched:
    """Return what ``isoform convert --batch`` takes with these words.

    Raises:
        RuntimeError: not every job has passed.
    """
    found = Watched(label, workers, count)
    command = [sys.executable, "-P", "-m", "isoform", "convert", "--batch", str(jobs), "--out", str(out), *words]
    before, begin = _busy_s(), time.monotonic()
    process = subprocess.Popen(command, cwd=jobs.parent, stderr=subprocess.PIPE, text=True)
    ended = threading.Event()
    watcher = threading.Thread(target=_sample, args=(process.pid, found, ended))
    watcher.start()
    try:
        first, last, told = _read(process, found, begin)
        code = process.wait()
    finally:
        ended.set()
        watcher.join()
    if code or found.passed != count:
        raise RuntimeError(f"{label}: {found.passed} of {count} jobs passed, exit code {code}:\n{''.join(told)}")
    found.start_s, found.seconds = first - begin, last - first
    found.busy_s = _busy_s() - before
    files = [path for path in out.rglob("*") if path.is_file() and ".logs" not in path.parts]
    found.result_bytes = sum(path.stat().st_size for path in files)
    return found


def _read(process: "subprocess.Popen[str]", found: Watched, begin: float) -> tuple[float, float, deque[str]]:
    """Return when the first and the last result came, and what was told at the end."""
    first = last = begin
    told: deque[str] = deque(maxlen=_TOLD)
    assert process.stderr is not None
    for line in process.stderr:
        told.append(line)
        words = line.split()
        if line.rstrip().endswith(" s") and any(f"  {word}  " in line for word in _DONE) and len(words) > 3:
            found.passed += "  PASS  " in line
            last = time.monotonic()
            first = last if found.passed == 1 else first
    return first, last, told


def _sample(pid: int, found: Watched, ended: threading.Event) -> None:
    while not ended.wait(EVERY_S):
        try:
            parent = psutil.Process(pid)
            held = _resident(parent)
            if held:  # a process that has ended holds nothing until it is waited for
                found.parent.append((found.passed, held))
            for process, children in _families(parent):
                held = sum(_resident(child) for child in children)
                found.children_bytes = max(found.children_bytes, held)
                if process.pid != pid:
                    found.worker_bytes = max(found.worker_bytes, _resident(process))
        except psutil.Error:
            continue  # a process has ended while it was looked at


def _families(parent: psutil.Process) -> list[tuple[psutil.Process, list[psutil.Process]]]:
    """Return the command and its workers, each with the children that convert for it."""
    direct = parent.children()
    ours = [process for process in direct if _is_child(process)]
    workers = [process for process in direct if any("spawn_main" in word for word in process.cmdline())]
    return [(parent, ours), *((worker, [each for each in worker.children() if _is_child(each)]) for worker in workers)]


def _is_child(process: psutil.Process) -> bool:
    return "isoform._child" in process.cmdline()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _busy_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
