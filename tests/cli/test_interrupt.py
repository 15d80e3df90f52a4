"""Ctrl-C and SIGTERM: one line, the documented exit code, no children left, nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import smallest_files

SLOW = "import os, time\nopen('child', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGINT, 130, "\nInterrupted. Finished results are kept; the same command goes on from there.\n"),
        (signal.SIGTERM, 143, ""),
    ],
)
def test_it_stops_at_once_and_its_child_is_gone(tmp_path: Path, number: int, code: int, text: str) -> None:
    smallest_files.safetensors(tmp_path / "w.safetensors")
    (tmp_path / "net.py").write_text(SLOW)
    words = ["convert", "w.safetensors", "--arch", "net.py:build", "--input", "x:float32[n]", "--to", "onnx"]
    command = subprocess.Popen(
        [sys.executable, "-P", "-m", "isoform", *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    child = _written(tmp_path / "child")
    command.send_signal(number)
    _, told = command.communicate(timeout=60)
    assert (command.returncode, told.partition("\n")[2]) == (code, text)
    assert not _is_alive(child)
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [".logs"]


def _written(path: Path) -> int:
    while not (path.is_file() and path.read_text()):
        time.sleep(0.05)
    return int(path.read_text())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
