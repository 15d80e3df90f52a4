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


TOLD = "\nInterrupted. Finished results are kept; the same command goes on from there.\n"


@pytest.mark.parametrize(
    ("signals", "code", "text"),
    [
        ([signal.SIGINT], 130, TOLD),
        ([signal.SIGINT, signal.SIGINT], 130, TOLD),
        ([signal.SIGTERM], 143, ""),
        ([signal.SIGTERM, signal.SIGTERM], 143, ""),
    ],
    ids=["once", "twice", "SIGTERM", "SIGTERM twice"],
)
def test_it_stops_at_once_and_its_child_is_gone(tmp_path: Path, signals: list[int], code: int, text: str) -> None:
    smallest_files.safetensors(tmp_path / "w.safetensors")
    (tmp_path / "net.py").write_text(SLOW)
    words = ["convert", "w.safetensors", "--arch", "net.py:build", "--input", "x:float32[n]", "--to", "onnx"]
    command = subprocess.Popen(
        [sys.executable, "-P", "-m", "isoform", *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    child = _written(tmp_path / "child")
    for number in signals:
        command.send_signal(number)
        time.sleep(0.02)
    _, told = command.communicate(timeout=60)
    assert (command.returncode, told.partition("\n")[2]) == (code, text)
    assert not _is_alive(child)
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [".logs"]


@pytest.mark.parametrize("words", [["--version"], ["doctor", "--json"]], ids=" ".join)
def test_a_reader_that_has_gone_and_a_disk_that_is_full_are_no_bug(words: list[str]) -> None:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    reader, writer = os.pipe()
    os.close(reader)
    gone = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writer)
    assert (gone.returncode, gone.stderr) == (1, "")
    with open("/dev/full", "w") as full:
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert told.returncode == 4
    assert told.stderr.splitlines()[0] == "Error: No space left on device."


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
