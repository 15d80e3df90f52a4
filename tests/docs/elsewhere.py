"""What pages tell people to type elsewhere than in a folder of models: it is not run, but its names are looked up."""

import re
import shlex
import tomllib

from docs.listing import PAGES

ROOT = PAGES.parent
_EXTRAS = re.compile(r"isoform\[([^\]]*)\]")
_TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)


def mistakes(script: str) -> list[str]:
    """Return what is wrong with the lines of a ``shell`` block, a sentence each."""
    return [problem for line in script.splitlines() for problem in _of_line(line)]


def _of_line(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    match words:
        case []:
            return []
        case ["pip", "install", *rest]:
            extras = {name for word in rest for found in _EXTRAS.findall(word) for name in found.split(",")}
            return [f"there is no extra '{name}'" for name in sorted(extras - _extras())]
        case ["make", *rest]:
            targets = [word for word in rest if "=" not in word]
            return [f"there is no target '{name}'" for name in targets if name not in _targets()]
        case _:
            return [f"nothing checks '{line}'"]


def _extras() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def _targets() -> set[str]:
    return set(_TARGET.findall((ROOT / "Makefile").read_text()))
