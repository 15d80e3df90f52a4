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


def kills(folder: Path, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a row for each kill: what was finished, and what the same command made of it.

    Raises:
        RuntimeError: a result that stands under its name is not whole, or a run fails.
    """
    generator = random.Random(seed)
    batch = Batch(folder, JOBS)
    begin = time.monotonic()
    batch.run()
    whole_s, expected = time.monotonic() - begin, batch.digests()
    for _ in range(count):
        shutil.rmtree(batch.out)
        process = batch.start()
        _wait(batch, generator.uniform(0, JOBS), whole_s)
        process.kill()
        process.wait()
        orphans_s = _gone_after(batch)
        stood, digests = batch.finished(), batch.digests()
        told = batch.run()["counts"]
        after = batch.finished()
        yield {
            "kind": "kill", "finished": len(stood), "orphans_s": orphans_s,
            "is_same": all(expected.get(name) == digest for name, digest in digests.items()),
            "reused": told["reused"], "kept": sum(after.get(name) == stamp for name, stamp in stood.items()),
            "is_as_expected": batch.digests() == expected, "litter": batch.litter(),
        }  # fmt: skip


def _wait(batch: Batch, moment: float, whole_s: float) -> None:
    """Wait until ``moment`` jobs are finished, the broken part of a job by the clock.

    By jobs and not by the clock alone: a batch takes several times as long while others use the processor. Up to the
    first job it is a fifth of the batch.
    """
    whole, part = int(moment), moment % 1
    while batch.count() < whole:
        time.sleep(0.01)
    time.sleep(part * whole_s / (JOBS if whole else 5))


def _gone_after(batch: Batch) -> float | None:
    """Return how long it took until no process of the batch was left; None if some stay."""
    begin = time.monotonic()
    while time.monotonic() < begin + _GONE_S:
        if not batch.alive():
            return round(time.monotonic() - begin, 2)
        time.sleep(0.05)
    return None
