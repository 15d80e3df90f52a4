"""One child interpreter: the last line it prints is its answer, as JSON; a crash or a hang is an answer too.

Ctrl-C ends the child with everything it started.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
_PATH = [str(TESTS), str(TESTS.parent / "pipeline")]
"""Where children import from; the peer's interpreter has isoform nowhere else, and builds the same networks with it."""
PEER = "LITERT_TORCH_PYTHON"
"""The environment variable that names an interpreter with litert-torch; without it only ours is measured."""
_SHOWN = 300


_running: "set[subprocess.Popen[str]]" = set()


_stopped = threading.Event()


class Stopped(Exception):
    """The run is being broken off: what a child answers now says nothing of it."""


class Broken(Exception):
    """The child gave no answer; the message says how it ended and what it said last."""


def run(
    module: str, *arguments: str, timeout_s: float, python: str = sys.executable, threads: int = 2,
    environment: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Return what ``python -m module`` printed last.

    Args:
        environment: further variables.

    Raises:
        Broken: it crashed, took longer than ``timeout_s`` or printed no JSON.
        Stopped: `end_all` was called.
    """
    if _stopped.is_set():
        raise Stopped
    process = subprocess.Popen(
        [python, "-m", module, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=_environment(threads) | dict(environment or {}), cwd=TESTS, start_new_session=True,
    )  # fmt: skip
    _running.add(process)
    with process:
        try:
            output, complaints = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Broken(f"timeout: {module} took longer than {timeout_s:g} s") from None
        finally:
            _end(process)
            _running.discard(process)
    if _stopped.is_set():
        raise Stopped
    if process.returncode < 0:
        raise Broken(f"crash: {module} died of {signal.Signals(-process.returncode).name}")
    if process.returncode:
        raise Broken((complaints.strip().splitlines() or ["no message"])[-1][:_SHOWN])
    lines = output.strip().splitlines()
    return json.loads(lines[-1]) if lines else None


def end_all() -> None:
    """End every child that runs, whatever thread waits for it, and let no other begin."""
    _stopped.set()
    for process in list(_running):
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it ended in between
        process.wait()


def _environment(threads: int) -> dict[str, str]:
    ours = {
        "PYTHONPATH": os.pathsep.join([*_PATH, os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": str(threads),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return os.environ | ours
