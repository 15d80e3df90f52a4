"""What people see on stderr while something runs: lines where it is a file, live rows where it is a terminal.

Colour repeats what a word and a sign say; NO_COLOR, TERM=dumb and terminals without these signs lose nothing.
"""

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from isoform.errors import written_out

_SIGNS = {
    "PASS": ("✔", "+", "green"),
    "WARN": ("▲", "^", "yellow"),
    "FAIL": ("✘", "x", "bold red"),
    "INCONCLUSIVE": ("?", "?", "magenta"),
    "NOT VERIFIED": ("–", "-", "bright_black"),
    "ERROR": ("!", "!", "bold red"),
}
_FIGURES = ("loss", "accuracy", "test_accuracy")
_MOST_CHARACTERS = 4000
_LINES = 6
"""About how many epochs of a training leave a line; the bar shows all of them."""


@dataclass(frozen=True)
class _Row:
    """What a thread is at."""

    task: TaskID
    subject: str
    text: str
    begin: float


class Display:
    """The steps of a command: each a line when it begins; on a terminal a live row, and a line when it has ended.

    The seconds of a line are those since the beginning; on a terminal those that the step took. Calls may come from
    several threads, each of which is at one thing at a time; who hears of many things in one thread names the row.
    """

    def __init__(self, subject_width: int = 34) -> None:
        self.console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
        self._width = subject_width
        self._begin = time.monotonic()
        self._is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            _Bar(bar_width=20),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self._is_live,
            transient=True,
            expand=True,
        )
        self._rows: dict[Hashable, _Row] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            for key in list(self._rows):
                self._end(key, is_told=True)
        self._progress.stop()

    def step(self, subject: str, text: str, row: Hashable = None) -> None:
        """Say that something begins with ``subject``; what this thread, or this row, was at before has ended."""
        with self._lock:
            if not self._is_live:
                self._print(time.monotonic() - self._begin, subject, text)
                return
            self.settle(row=row)
            task = self._progress.add_task(_described(subject, text), total=None)
            self._rows[_key(row)] = _Row(task, subject, text, time.monotonic())

    def now(self, text: str) -> None:
        """Say on a terminal how far the step of this thread is."""
        with self._lock:
            row = self._rows.get(threading.get_ident())
            if row is not None:
                self._progress.update(row.task, description=_described(row.subject, text))

    def line(self, subject: str, text: str, row: Hashable = None) -> None:
        """Print what has come of ``subject``, in the place of the step that this thread, or this row, was at."""
        with self._lock:
            found = self._rows.get(_key(row))
            self.settle(is_told=False, row=row)
            self._print(time.monotonic() - (found.begin if found else self._begin), subject, text)

    def note(self, subject: str, text: str) -> None:
        """Print a line that belongs to no row."""
        with self._lock:
            self._print(time.monotonic() - self._begin, subject, text)

    def settle(self, is_told: bool = True, row: Hashable = None) -> None:
        """End the live row of this thread, or this row; it leaves a line unless another one tells it."""
        with self._lock:
            self._end(_key(row), is_told)

    def training(self, subject: str, event: dict[str, Any], row: Hashable = None) -> None:
        """Show a training job's progress event: a step moves the bar, some ends of epochs leave a line."""
        figures = "  ".join(f"{key} {event[key]:.4f}" for key in _FIGURES if event.get(key) is not None)
        text = f"epoch {event.get('epoch')}/{event.get('epochs')}  {figures}"
        done = event.get("step", 0) + event.get("steps", 0) * (event.get("epoch", 1) - 1)
        with self._lock:
            found = self._rows.get(_key(row))
            if found is not None:
                total = event.get("steps", 0) * event.get("epochs", 0)
                described = _described(subject, text)
                self._progress.update(found.task, description=described, completed=done, total=total)
        is_told = event.get("epoch", 0) % max(1, event.get("epochs", 1) // _LINES) == 0
        if event.get("test_accuracy") is not None and is_told:
            self._print(time.monotonic() - self._begin, subject, text)

    def sign(self, verdict: str) -> tuple[str, str]:
        """Return the sign of a verdict, as far as the terminal has it, and its colour."""
        sign, plain, colour = _SIGNS.get(verdict, _SIGNS["ERROR"])
        return (plain if self.console.options.ascii_only else sign), colour

    def _end(self, key: Hashable, is_told: bool) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._progress.remove_task(row.task)
            if is_told:
                self._print(time.monotonic() - row.begin, row.subject, row.text)

    def _print(self, seconds: float, subject: str, text: str) -> None:
        self.console.print(f"{seconds:6.1f} s  {printable(subject):<{self._width}} {printable(text)}")


def _key(row: Hashable) -> Hashable:
    """Return the key of a row: the one named, else the thread that asks."""
    return threading.get_ident() if row is None else ("row", row)


def _described(subject: str, text: str) -> str:
    return f"{printable(subject)}  {printable(text)}"


class _Bar(BarColumn):
    """A bar where it is known how much there is to do, else nothing."""

    def render(self, task: Task) -> Any:
        return super().render(task) if task.total else Text("")


def printable(text: str) -> str:
    """Return ``text`` on one line, its control and direction characters shown by their code, and not too long.

    A name in a file may have a megabyte; ``--json`` has all of it.
    """
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"
    return written_out(text)


def counted(count: int, word: str) -> str:
    """Return how many there are: ``1 result``, ``2 results``."""
    return f"{count} {word}{'s' * (count != 1)}"


def readable_size(size_bytes: int) -> str:
    """Return a size in decimal units with three digits: ``44.7 MB``."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
