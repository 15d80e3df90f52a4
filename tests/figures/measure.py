"""Starting measurements, each in its own interpreter, and naming what they were taken on."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PIPELINE = TESTS.parent / "pipeline"
_LONGEST_S = 1800


@dataclass(frozen=True)
class Figure:
    """One measured conversion, or why there is none.

    Attributes:
        busy_s: what all threads together spent on processors; says how much a loaded machine has added to ``seconds``.
        extra_bytes: peak while the work lasted, above what the process held before it.
        error: the last line of what went wrong; empty where it went well.
    """

    seconds: float = 0.0
    busy_s: float = 0.0
    before_bytes: int = 0
    peak_bytes: int = 0
    error: str = ""

    @property
    def extra_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes


def measure(place: str, threads: int = 2, python: str = sys.executable, **arguments: Any) -> Figure:
    """Return the figures of ``module:function``; a process that dies is a figure with an error.

    Args:
        python: the interpreter; isoform is read from this repository where it does not have it.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(PIPELINE), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_BACKEND": "tensorflow",
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    try:
        done = subprocess.run(
            [python, "-m", "figures.child", place, json.dumps(arguments)],
            capture_output=True, text=True, env=environment, timeout=_LONGEST_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Figure(error=f"took longer than {_LONGEST_S} s")
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return Figure(**json.loads(lines[-1]))
    problem = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return Figure(error=problem[:200] if done.returncode > 0 else f"killed by signal {-done.returncode}")


def machine() -> str:
    """Return one line: processor, cores, memory, Python."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{names[0]}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {sys.version.split()[0]}"
