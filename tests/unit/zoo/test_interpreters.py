"""A child interpreter gives its answer, or says how it ended."""

import threading
import time
from pathlib import Path

import pytest

from zoo import interpreters


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(interpreters, "TESTS", tmp_path)
    monkeypatch.setattr(interpreters, "_stopped", threading.Event())
    return tmp_path


def module(folder: Path, code: str) -> str:
    (folder / "child.py").write_text(code)
    return "child"


def test_the_last_line_is_the_answer_whatever_was_printed_before(folder: Path) -> None:
    name = module(folder, "import sys\nprint('noise')\nprint('[\"' + sys.argv[1] + '\"]')")
    assert interpreters.run(name, "word", timeout_s=30) == ["word"]


def test_an_exception_is_told_by_its_last_line(folder: Path) -> None:
    name = module(folder, "raise ValueError('no such thing')")
    with pytest.raises(interpreters.Broken, match=r"^ValueError: no such thing$"):
        interpreters.run(name, timeout_s=30)


def test_a_crash_names_its_signal(folder: Path) -> None:
    name = module(folder, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(interpreters.Broken, match=r"^crash: child died of SIGSEGV$"):
        interpreters.run(name, timeout_s=30)


def test_a_hang_is_ended(folder: Path) -> None:
    name = module(folder, "import time\ntime.sleep(60)")
    with pytest.raises(interpreters.Broken, match=r"^timeout: child took longer than 0.5 s$"):
        interpreters.run(name, timeout_s=0.5)


def test_end_all_frees_a_thread_that_waits_and_ends_what_its_child_started(folder: Path) -> None:
    name = module(
        folder,
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('writing').write_text(str(child.pid))\npathlib.Path('writing').rename('pid')\ntime.sleep(60)",
    )
    problems: list[Exception] = []

    def wait() -> None:
        try:
            interpreters.run(name, timeout_s=50)
        except interpreters.Stopped as stopped:
            problems.append(stopped)

    thread = threading.Thread(target=wait)
    thread.start()
    while not (folder / "pid").exists():
        time.sleep(0.02)
    interpreters.end_all()
    thread.join(10)
    assert len(problems) == 1
    with pytest.raises(interpreters.Stopped):
        interpreters.run(name, timeout_s=50)
    assert not _lives(int((folder / "pid").read_text()))


def _lives(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits to be collected does not."""
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.02)
    return True
