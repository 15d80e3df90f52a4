"""docs/trials.md from the rows: how often each answer was given, and every ratio."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from isoform.core.comparison import SAME, SLOWER

Row = Mapping[str, Any]
RIGHT = {"the same file": SAME, "5 % slower": SLOWER}
_HEAD = """# How often a comparison of times is right

`isoform bench --baseline` on ONNX Runtime, one thread, with its default protocol and threshold: a network of {layers}
identical layers against a copy of itself, and against one of {slower}, 5 % more arithmetic; the median ratio that was
measured of it is {ratio}.
A trial begins when the load is {most_load:g} at most, three for each core; while it lasts anything may come.
`make trials` goes on until there are twenty of each; `make trials COUNT=40` until there are more. The rows are in
`trials.json`. The load is the machine's while a trial ran, its own processes among it: one of three runs at a time.

{machine}, {date}.

| candidate | trials | right | answers | load, least to most |
|---|---|---|---|---|
"""


def rendered(found: Mapping[str, Any]) -> str:
    """Return the page."""
    slower = [row["ratio"] for row in found["rows"] if row["candidate"] == "5 % slower"]
    ratio = f"{statistics.median(slower):.3f}" if slower else "not there yet"
    head = _HEAD.format(
        ratio=ratio, **{key: found[key] for key in ("layers", "slower", "most_load", "machine", "date")}
    )
    kinds = {kind: [row for row in found["rows"] if row["candidate"] == kind] for kind in RIGHT}
    lines = [_summary(kind, rows) for kind, rows in kinds.items() if rows]
    table = ["", "## Every trial", "", "| candidate | answer | ratio | the baseline against itself | groups | load |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    table += [_line(row) for rows in kinds.values() for row in rows]
    return "\n".join([head + "\n".join(lines), *table]) + "\n"


def _summary(kind: str, rows: Sequence[Row]) -> str:
    answers = Counter(row["verdict"] for row in rows)
    told = ", ".join(f"{answer} {count}" for answer, count in answers.most_common())
    loads = [load for row in rows for load in row["load"]]
    right = f"**{answers[RIGHT[kind]]} of {len(rows)}**"
    return f"| {kind} | {len(rows)} | {right} | {told} | {min(loads):.1f} to {max(loads):.1f} |"


def _line(row: Row) -> str:
    ratios = (
        f"{row[name]:.3f} ({row[f'{name}_95'][0]:.3f} to {row[f'{name}_95'][1]:.3f})" for name in ("ratio", "control")
    )
    load = " to ".join(f"{value:.1f}" for value in row["load"])
    return f"| {row['candidate']} | {row['verdict']} | {' | '.join(ratios)} | {row['groups']} | {load} |"
