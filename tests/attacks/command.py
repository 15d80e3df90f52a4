"""The command line in this interpreter's process, its text caught: starting one for each attack would take minutes."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from isoform import cli
from isoform.isolation import Pool


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    def assert_one_line_refusal(self) -> None:
        """Fail unless it is one error with one hint, the documented exit code and no traceback."""
        assert self.code in (2, 3, 4), f"exit code {self.code}: {self.stderr}"
        assert "Traceback" not in self.stderr
        lines = self.stderr.splitlines()
        errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
        assert len(errors) == 1, self.stderr
        assert lines[errors[0] + 1].startswith("hint: ")
        assert len(lines) == errors[0] + 2, self.stderr
        assert "safe" not in lines[errors[0]].replace("safetensors", "").replace("unsafe", "")


def isoform(*words: str, cwd: Path) -> Answer:
    """Return what ``isoform words`` says, run from ``cwd``; results go to ``exports`` there, as warm children stand
    in another folder.
    """
    if words[0] == "convert" and "--out" not in words:
        words = ("convert", "--out", str(cwd / "exports"), *words[1:])
    out, err = io.StringIO(), io.StringIO()
    with _inside(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _ended(["isoform", *words])
    return Answer(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def lent(pool: Pool) -> contextlib.AbstractContextManager[object]:
    """Let the warm children of ``pool`` serve every command meanwhile, instead of new ones."""
    return mock.patch.object(Pool, "__enter__", return_value=pool)


def _ended(arguments: list[str]) -> str | int | None:
    before, sys.argv = sys.argv, arguments
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code
    finally:
        sys.argv = before


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
