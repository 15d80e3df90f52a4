"""Running a page: its files are written and its commands typed, in order, in one folder of its own."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

from docs.blocks import LANGUAGES, Block, Command, blocks, commands
from docs.output import agrees

TIMEOUT_S = 240


class Disagreement(AssertionError):
    """A page says what is not so; the message names the line, the command and what really came out."""


def run(page: Path, folder: Path) -> None:
    """Do in ``folder`` what ``page`` tells its reader to do.

    Raises:
        Disagreement: a command fails, or prints something other than what is shown.
    """
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.title:
            file = folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text + "\n", encoding="utf-8")
            continue
        if block.language not in LANGUAGES:
            raise Disagreement(f"{page.name}:{block.line}: nothing runs a block of '{block.language}'.")
        for command in _typed(block):
            _run(command, page, folder)


def _typed(block: Block) -> list[Command]:
    if block.language == "console":
        return commands(block)
    if block.language == "sh":
        return [Command(f"set -e\n{block.text}", None, block.line)]
    if block.language == "python":
        return [Command(f"python - <<'PYTHON'\n{block.text}\nPYTHON", None, block.line)]
    return []


def _run(command: Command, page: Path, folder: Path) -> None:
    place = f"{page.name}:{command.line}: {command.text}"
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise Disagreement(f"{place}\nended with exit code {done.returncode}:\n{done.stdout}")
    if command.expected is not None and not agrees(command.expected, done.stdout):
        raise Disagreement(f"{place}\nprints something else:\n{_difference(command.expected, done.stdout)}")


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a reader's terminal: this interpreter's commands first, nothing of pytest's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**inherited, "PATH": path, "PWD": str(folder), "COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb"}


def _difference(shown: str, printed: str) -> str:
    return "\n".join(difflib.unified_diff(shown.splitlines(), printed.splitlines(), "shown", "printed", lineterm=""))
