"""What failed for one reason, from what was said: names, numbers and places in a message are left out."""

import re
from collections.abc import Iterable
from typing import Any

_LEFT_OUT = (
    (re.compile(r"\(node [^,)]*, opset \d+\)"), ""),
    (re.compile(r" at \S+:\d+( `[^`]*`)?"), ""),
    (re.compile(r"\(opset \d+\)"), ""),
    (re.compile(r"\S+/\S+"), "..."),
    (re.compile(r"\b(node|val|input|output|getitem|tensor)_[\w.]+"), r"\1"),
    (re.compile(r"\d[\d.,x]*"), "N"),
    (re.compile(r"\s+"), " "),
)
DIFFERS = ("FAIL", "WARN")
"""Verdicts on numbers that were measured."""
_LONGEST = 140


def cause(row: dict[str, Any]) -> str:
    """Return what rows that failed alike have in common; a difference in numbers is named by its runtime."""
    text = row.get("error") or row["verdict"]
    if row["verdict"] in DIFFERS:
        gates = [gate for gate in ("structure", "weights", "semantics", "numerics") if f"{gate}:" in text]
        return f"{text.split(':')[0]}: {' and '.join(gates) or 'numbers'} differ"
    for pattern, replacement in _LEFT_OUT:
        text = pattern.sub(replacement, text)
    return text.strip()[:_LONGEST]


def grouped(rows: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the failed rows by cause, the most frequent cause first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["status"] != "passed":
            groups.setdefault(cause(row), []).append(row)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
