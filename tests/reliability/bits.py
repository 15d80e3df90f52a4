"""One bit flipped in every file of every result, one file of each result at a time: is it found, is it mended?"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoform.core.artifact import RECORD_NAME
from reliability.batch import FORMAT, Batch

JOBS = 20


def bits(folder: Path, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a row for each kind of file: in how many results a bit of it was flipped, and how often that was found.

    Raises:
        RuntimeError: a run fails, or leaves a result that is not whole.
    """
    generator = random.Random(seed)
    batch = Batch(folder, JOBS)
    batch.run()
    expected = batch.digests()
    names = sorted(path.name for path in (batch.out / batch.names[0] / FORMAT).iterdir())
    for name in names:
        for job in batch.names:
            _flip(batch.out / job / FORMAT / name, generator)
        results = [result for job in batch.run()["jobs"] for result in job["results"]]
        batch.finished()
        yield {
            "kind": "bits", "file": "the record" if name == RECORD_NAME else name, "flipped": len(results),
            "found": sum(not result["reused"] for result in results), "is_mended": batch.digests() == expected,
        }  # fmt: skip


def _flip(path: Path, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    place = generator.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
