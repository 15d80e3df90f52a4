"""The conversions of a run, one architecture at a time: whatever happens to one of them is a row."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from zoo import interpreters
from zoo.attempt import row
from zoo.entry import Entry
from zoo.results import Results, key
from zoo.source import SUFFIXES

TARGETS = ("tflite", "onnx", "savedmodel", "torchscript")
FAILED, EVERYTHING = "failed", "everything"
SOURCE_S = 300.0
TARGET_S = 300.0
"""Longest time of a conversion to one target; several in one call may take their sum."""


def convert(entries: Sequence[Entry], targets: Sequence[str], results: Results, again: str = "", jobs: int = 1) -> None:
    """Convert each architecture to those of ``targets`` that have no row yet.

    Args:
        again: convert also what has a row: `FAILED` where it did not pass, `EVERYTHING`.
        jobs: architectures at one time; each takes up to 4 GiB. With more than one, seconds say less.
    """
    work = [(entry, _left(entry, targets, results, again)) for entry in entries]
    work = [(entry, left) for entry, left in work if left]

    def one(place: int, entry: Entry, left: Sequence[str]) -> None:
        begin = time.monotonic()
        rows = attempted(entry, left)
        for found in rows:
            results.add(found)
        head = f"[{place}/{len(work)}] {entry.name}, {time.monotonic() - begin:.0f} s"
        print("\n  ".join([head, *map(told, rows)]), file=sys.stderr, flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(one, place, *each) for place, each in enumerate(work, 1)]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            interpreters.end_all()
            raise


def _left(entry: Entry, targets: Sequence[str], results: Results, again: str) -> list[str]:
    known = {target: results.conversions.get(key({"model": entry.name, "target": target})) for target in targets}
    words = {target: (row or {}).get("status", "missing") for target, row in known.items()}
    wanted = {"": ("missing",), FAILED: ("missing", "failed", "unverified")}.get(again)
    return [target for target, word in words.items() if wanted is None or word in wanted]


def attempted(entry: Entry, targets: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each target, whatever happened; the checkpoint and the files that came out are gone."""
    work = Path(tempfile.mkdtemp(prefix="isoform-zoo."))
    try:
        checkpoint = work / f"{entry.name}{SUFFIXES[entry.framework]}"
        interpreters.run("zoo.source", entry.name, str(checkpoint), timeout_s=SOURCE_S)
        return without(work, _rows(entry, checkpoint, work, targets))
    except interpreters.Broken as broken:
        return [failed(entry, target, f"the source could not be built: {broken}") for target in targets]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def without(work: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without the name of the folder that was worked in, which is another one each time."""
    found: list[dict[str, Any]] = json.loads(json.dumps(rows).replace(f"{work}/", ""))
    return found


def _rows(entry: Entry, checkpoint: Path, work: Path, targets: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of one call; one that breaks is repeated target by target, to find which is to blame."""
    limit = TARGET_S * len(targets)
    try:
        return list(interpreters.run("zoo.attempt", entry.name, str(checkpoint), str(work), *targets, timeout_s=limit))
    except interpreters.Broken as broken:
        if len(targets) == 1:
            return [failed(entry, targets[0], str(broken))]
        return [found for target in targets for found in _rows(entry, checkpoint, work, [target])]


def failed(entry: Entry, target: str, problem: str) -> dict[str, Any]:
    """Return the row of a child that gave no answer."""
    return row(entry, target, {"status": "failed", "verdict": "NOT VERIFIED", "kind": "broken", "error": problem})


def told(found: dict[str, Any]) -> str:
    """Return a row as one line."""
    head = f"{found['target']}: {found['verdict']}"
    return f"{head}: {found['error'][:160]}" if found.get("error") else f"{head}, {found.get('seconds', 0):.1f} s"
