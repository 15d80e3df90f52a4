"""What people see on stderr while something runs: lines where it is a file, a live bar where it is a terminal."""

import threading
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

GLYPHS = {
    "PASS": ("✔", "green"),
    "WARN": ("▲", "yellow"),
    "FAIL": ("✘", "bold red"),
    "INCONCLUSIVE": ("?", "magenta"),
    "NOT VERIFIED": ("–", "bright_black"),
    "ERROR": ("!", "bold red"),
}

_FIGURES = ("loss", "accuracy", "test_accuracy")
_LINES = 6
"""About how many epochs of a training leave a line; the bar shows all of them."""


class Display:
    """Lines as things happen, each with the seconds since the beginning; and one bar for training.

    Calls may come from several threads.
    """

    def __init__(self, is_quiet: bool = False) -> None:
        self.console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True, quiet=is_quiet)
        self._begin = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal or is_quiet,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def line(self, subject: str, text: str) -> None:
        """Print what happens to ``subject`` now."""
        self.console.print(f"{time.monotonic() - self._begin:6.1f} s  {printable(subject):<34} {printable(text)}")

    def training(self, subject: str, event: dict[str, Any]) -> None:
        """Show a training job's progress event: a step moves the bar, the end of an epoch prints a line."""
        figures = "  ".join(f"{key} {event[key]:.4f}" for key in _FIGURES if event.get(key) is not None)
        done = event.get("step", 0) + event.get("steps", 0) * (event.get("epoch", 1) - 1)
        total = event.get("steps", 0) * event.get("epochs", 0)
        with self._lock:
            if subject not in self._bars:
                self._bars[subject] = self._progress.add_task(subject, figures="", total=total or None)
            bar = self._bars[subject]
        text = f"epoch {event.get('epoch')}/{event.get('epochs')}  {figures}"
        self._progress.update(bar, completed=done, figures=text)
        is_told = event.get("epoch", 0) % max(1, event.get("epochs", 1) // _LINES) == 0
        if event.get("test_accuracy") is not None and is_told:
            self.line(subject, text)


def printable(text: str) -> str:
    """Return ``text`` on one line, its control and direction characters shown by their code."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def readable_size(size_bytes: int) -> str:
    """Return a size in decimal units with three digits: ``44.7 MB``."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
