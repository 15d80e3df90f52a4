"""Whether a command printed what a page shows.

``...`` stands for anything in a line, and alone in a line for any lines or none. What a clock, a scale or a float's
last bits say differs from run to run: a number with a decimal point, or before one of `UNITS`, stands for any such
number. Spaces that only align columns count as one.
"""

import re

UNITS = ("s", "ms", "bytes", "kB", "MB", "MiB", "GB", "GiB", "bits", "correct")

_FIGURE = re.compile(rf"\d+\.\d+|\d+(?= (?:{'|'.join(UNITS)})\b)")
_ANYTHING = "..."


def agrees(shown: str, printed: str) -> bool:
    """Return whether ``printed`` is what a page shows."""
    pattern = "".join(map(_pattern, _lines(shown)))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed)), re.DOTALL) is not None


def _lines(text: str) -> list[str]:
    spaced = (re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines())
    return [_FIGURE.sub("0", line) for line in spaced]


def _pattern(line: str) -> str:
    if line == _ANYTHING:
        return r"(?:.*\n)?"
    return r"\s*.*\s*".join(re.escape(part.strip()) for part in line.split(_ANYTHING)) + r"\n"
