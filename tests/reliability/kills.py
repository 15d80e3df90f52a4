"""``kill -9`` of the parent at random moments of a batch, then the same command again."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reliability.batch import Batch

JOBS = 20
_GONE_S = 60.0
_START_S = 1.0
"""About what the command takes before its first job."""


def kills(folder: Path, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a row for each kill: what was finished, and what the next run found of it.

    A run that is not killed in time ends a batch: its results are compared with those of one that nobody killed, and
    the next batch begins anew.

    Raises:
        RuntimeError: a result that stands under its name is not whole, or a run fails.
    """
    generator = random.Random(seed)
    batch = Batch(folder, JOBS)
    begin = time.monotonic()
    batch.run()
    whole_s, expected = time.monotonic() - begin, batch.digests()
    shutil.rmtree(batch.out)
    found = 0
    before: dict[str, tuple[int, int]] = {}
    while found < count:
        left = 1 - len(before) / JOBS
        process = batch.start()
        time.sleep(generator.uniform(0, _START_S + whole_s * left))
        is_killed = process.poll() is None
        process.kill()
        process.wait()
        orphans_s = _gone_after(batch)
        after = batch.finished()
        row = {
            "finished_before": len(before), "finished": len(after),
            "kept": sum(after.get(name) == stamp for name, stamp in before.items()),
            "orphans_s": orphans_s, "is_as_expected": _agree(batch.digests(), expected),
        }  # fmt: skip
        before = after
        if is_killed:
            found += 1
            yield row | {"kind": "kill"}
        if not is_killed or len(after) == JOBS:
            yield _ended(batch, after, expected)
            before = {}


def _ended(batch: Batch, finished: dict[str, tuple[int, int]], expected: dict[str, str]) -> dict[str, Any]:
    """Run the command to its end once more; then begin anew."""
    told = batch.run()["counts"]
    after = batch.finished()
    row = {
        "kind": "end", "reused": told["reused"], "finished_before": len(finished),
        "kept": sum(after.get(name) == stamp for name, stamp in finished.items()),
        "is_as_expected": batch.digests() == expected, "litter": batch.litter(),
    }  # fmt: skip
    shutil.rmtree(batch.out)
    return row


def _gone_after(batch: Batch) -> float | None:
    """Return how long it took until no process of the batch was left; None if some stay."""
    begin = time.monotonic()
    while time.monotonic() < begin + _GONE_S:
        if not batch.alive():
            return round(time.monotonic() - begin, 2)
        time.sleep(0.05)
    return None


def _agree(found: dict[str, str], expected: dict[str, str]) -> bool:
    return all(expected.get(name) == digest for name, digest in found.items())
