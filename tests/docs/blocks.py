"""The fenced blocks of a Markdown page, and what each one asks to be done.

A block with ``title="NAME"`` is the file NAME. ``console`` shows commands after ``$ ``, and below each what it prints;
``sh`` and ``python`` are run as they stand. ``shell`` is for another place than a folder of models: installing, make
targets, a CI of one's own; `docs.elsewhere` looks its names up. ``text`` is only read. A block inside an HTML comment
counts like any other: that is how a page prepares what it does not show.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

LANGUAGES = frozenset({"console", "sh", "python", "shell", "text"})
"""What a block without a title may be; a block of any other language would be neither run nor checked."""

_FENCE = re.compile(r"^ *```(?P<language>[\w-]*) *(?P<rest>[^`]*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_STATUS = "echo $?"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is meant to be ("" for none), its text and its first line's number."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """One command as typed, what has to appear below it, and where it stands."""

    text: str
    expected: str | None
    line: int


def blocks(markdown: str) -> list[Block]:
    """Return the fenced blocks of a page in order, without the indentation of a list or tab around them.

    Raises:
        ValueError: a block is not closed.
    """
    found = []
    lines = enumerate(markdown.splitlines(), start=1)
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            continue
        inside = list(_until_closed(lines, number))
        title = _TITLE.search(opening["rest"])
        text = textwrap.dedent("\n".join(inside))
        found.append(Block(opening["language"], title[1] if title else "", text, number + 1))
    return found


def _until_closed(lines: Iterator[tuple[int, str]], begin: int) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line
    raise ValueError(f"The block that opens on line {begin} is never closed.")


def commands(block: Block) -> list[Command]:
    """Return what a ``console`` block types and expects; ``$ echo $?`` belongs to the command before it.

    Raises:
        ValueError: the block begins with output.
    """
    found: list[Command] = []
    is_open = False
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("$ ") and line[2:].strip() != _STATUS:
            found.append(Command(line[2:], "", number))
        elif not found:
            raise ValueError(f"Line {number} shows output before any command.")
        elif is_open:
            found[-1] = _extended(found[-1], text=line)
        elif line.startswith("$ "):
            found[-1] = _extended(found[-1], text=_STATUS)
        else:
            found[-1] = _extended(found[-1], expected=line)
        is_open = line.endswith("\\") and not found[-1].expected
    return found


def _extended(command: Command, text: str = "", expected: str | None = None) -> Command:
    typed = f"{command.text}\n{text}" if text else command.text
    shown = command.expected if expected is None else f"{command.expected}{expected}\n"
    return Command(typed, shown, command.line)
