"""What people type: the one way in which an error says what a mistyped word was meant to be, and paths for a shell."""

import os
import shlex
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path

_SIMILARITY = 0.65
"""Of difflib's ratio, from 0 to 1: 'pytorch' finds 'torch' (0.83), 'onx' 'onnx' (0.86), 'cube' no 'double' (0.6)."""
_SHOWN = 24
"""How many words a hint lists; the file of a stranger may have thousands."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of ``known`` that ``word`` is the beginning of, else looks like most, the first of equals.

    None where none is near.
    """
    names = list(known)
    begun = [name for name in names if word and name.startswith(word.casefold())]
    if begun:
        return begun[0]
    ratios = [SequenceMatcher(None, word.casefold(), name.casefold()).ratio() for name in names]
    best = max(ratios, default=0.0)
    return names[ratios.index(best)] if best >= _SIMILARITY else None


def hint(word: str, known: Iterable[str], opening: str = "One of") -> str:
    """Return ``Did you mean 'tflite'? One of: keras, onnx, tflite.``; its first sentence where a word is near."""
    names = list(known)
    near = nearest(word, names)
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return (f"Did you mean '{near}'? " if near else "") + f"{opening}: {listed or 'none'}."


def near_path(path: Path) -> str:
    """Return the hint for a path that is not there: what in its folder is called nearly so."""
    try:
        siblings = sorted(os.listdir(path.parent))
    except OSError:  # the folder is not there either, or may not be read: nothing to propose
        siblings = []
    near = nearest(path.name, siblings)
    return f"Did you mean {path.parent / near}?" if near else "Check the path."


def typed(path: Path) -> str:
    """Return ``path`` as it is typed in a shell, relative to the current folder where it is inside."""
    text = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
