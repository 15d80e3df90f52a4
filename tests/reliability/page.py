"""docs/reliability.md from the rows: what was killed, flipped and filled, and what was left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reliability.kills import JOBS
from reliability.named import NAMED

Row = Mapping[str, Any]
_HEAD = """# What is survived

A batch of {jobs} small networks, `isoform convert --batch`, is killed, its results are damaged, its disk is full; each
time the same command is run again. `make reliability` counts, the rows are in `reliability.json`.

{machine}, {date}.

## kill -9 at random moments

Of the parent, once a number of jobs is finished that is drawn uniformly, its broken part by the clock. Every result
that then stands under its name is read back and compared, byte by byte but for times, with that of a batch that nobody
killed. An orphan is a process of the batch that is still there after a minute. Then the same command runs to its end.

| | |
|---|---|
"""
_BITS = """
## One bit flipped in every file

One bit at random in one file of every result at a time. Found: the result is made again. Of a store, `isoform cache
verify` and every use find each flipped bit as well: that is tested file by file (`tests/unit/cache`).

| file | flipped | found | the same bytes again |
|---|---|---|---|
"""
_DISKS = """
## A full disk

A file system in memory, from nothing to twice what the results take. Exit code 4, and one line that says where; what
stands under its name is whole. Then the disk is made larger, and the same command finishes.

| disks | exit codes | results that stood and were used again | unfinished files left | as expected at the end |
|---|---|---|---|---|
"""
_TESTS = """
## Fault by fault

| what happens | the test |
|---|---|
"""


def rendered(found: Mapping[str, Any]) -> str:
    """Return the page."""
    kinds: dict[str, list[Row]] = {}
    for row in found["rows"]:
        kinds.setdefault(row["kind"], []).append(row)
    head = _HEAD.format(jobs=JOBS, machine=found["machine"], date=found["date"])
    lines = [head.rstrip("\n"), *_kills(kinds.get("kill", []))]
    lines += [_BITS.rstrip("\n"), *map(_flipped, kinds.get("bits", []))]
    lines += [_DISKS.rstrip("\n"), *_disks(kinds.get("disk", []))]
    lines += [f"\nNot measured: {row['why']}." for row in kinds.get("not measured", [])]
    lines += [_TESTS.rstrip("\n"), *(f"| {what} | `{file}` {test} |" for what, file, test in NAMED)]
    return "\n".join(lines) + "\n"


def _kills(rows: Sequence[Row]) -> list[str]:
    gone, finished = [row["orphans_s"] for row in rows], [row["finished"] for row in rows]
    kept, reused = (sum(row[name] for row in rows) for name in ("kept", "reused"))
    told = {
        "kills": len(rows),
        "finished jobs at a kill": f"{min(finished, default=0)} to {max(finished, default=0)} of {JOBS}",
        "kills after which a result stood that was not the same": sum(not row["is_same"] for row in rows),
        "orphans": gone.count(None),
        "seconds until the last process was gone, at most": max((one for one in gone if one is not None), default=0.0),
        "finished jobs that the next run used again": f"{reused} of {sum(finished)}",
        "of them not written again": kept,
        "batches that ended with the same bytes as without a kill": sum(row["is_as_expected"] for row in rows),
        "unfinished files left at the end": sum(len(row["litter"]) for row in rows),
    }
    return [f"| {name} | {value} |" for name, value in told.items()]


def _flipped(row: Row) -> str:
    return f"| {row['file']} | {row['flipped']} | **{row['found']}** | {'yes' if row['is_mended'] else 'no'} |"


def _disks(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    codes = Counter(row["exit_code"] for row in rows)
    stood, reused = (sum(row[name] for row in rows) for name in ("finished", "reused"))
    told = ", ".join(f"{code} ({count})" for code, count in sorted(codes.items()))
    litter, right = (sum(len(row["litter"]) for row in rows), sum(row["is_as_expected"] for row in rows))
    return [f"| {len(rows)} | {told} | {reused} of {stood} | {litter} | {right} of {len(rows)} |"]
