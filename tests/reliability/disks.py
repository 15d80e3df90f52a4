"""Disks that are full at some point of a batch, and what the same command makes of them once there is room.

A file system in memory of a given size; whoever runs this must be allowed to mount one.
"""

import math
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reliability.batch import Batch

JOBS = 4
SIZES = 20
_ROOM = "64m"


def disks(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each size of disk, from nothing to what the results take and as much again.

    Raises:
        PermissionError: nothing may be mounted.
        RuntimeError: a result that stands under its name is not whole, or the run with room fails.
    """
    sized, small = folder / "sized", folder / "small"
    for place in (sized, small):
        place.mkdir()
    batch = Batch(sized, JOBS)
    batch.run()
    expected = batch.digests()
    taken = sum(path.stat().st_size for path in batch.out.rglob("*") if path.is_file())
    for step in range(SIZES):
        size = max(1, math.ceil(2 * taken * step / SIZES / 1024))
        with _mounted(small, f"{size}k"):
            yield {"kind": "disk", "size_kb": size, **_row(Batch(sized, JOBS, out=small), expected)}


def _row(batch: Batch, expected: dict[str, str]) -> dict[str, Any]:
    process = batch.start()
    code = process.wait()
    stands = batch.finished()
    subprocess.run(["mount", "-o", f"remount,size={_ROOM}", str(batch.out)], check=True)
    told = batch.run()["counts"]
    return {
        "exit_code": code, "finished": len(stands), "reused": told["reused"], "litter": batch.litter(),
        "is_as_expected": batch.digests() == expected,
    }  # fmt: skip


@contextmanager
def _mounted(place: Path, size: str) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
