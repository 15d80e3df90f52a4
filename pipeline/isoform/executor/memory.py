"""How much memory a conversion takes: learnt from the records of earlier ones, else estimated from the source's size.

A record says what the largest of its children took. A conversion has two at work at a time, one that converts and one
that proves, which is why what was recorded counts twice. Without a record of the same formats and a similar size, it is
`BASE_BYTES` for two frameworks that are loaded, and `COPIES` of the source: references in float64 take six, a
conversion two to four.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from isoform import store
from isoform.core.artifact import RECORD_NAME

BASE_BYTES = 2_000_000_000
COPIES = 10
CHILDREN = 2
SIMILAR = 2.0
"""A record tells of sources up to so many times larger or smaller than its own."""
MOST_RECORDS = 1000
_NEAR_BYTES = 10_000_000
"""Below this the weights do not count beside the frameworks: all such sources are alike."""


@dataclass(frozen=True)
class Seen:
    """What one earlier conversion took."""

    source: str
    target: str
    source_bytes: int
    peak_rss_bytes: int


def seen(out: Path) -> list[Seen]:
    """Return what the records below ``out`` tell, at most `MOST_RECORDS` of them, the newest first."""
    found = sorted(out.glob(f"**/{RECORD_NAME}"), key=lambda path: -path.stat().st_mtime)
    return [row for path in found[:MOST_RECORDS] if (row := _read(path)) is not None]


def needed(source: str, source_bytes: int, targets: Iterable[str], known: Iterable[Seen]) -> int:
    """Return how many bytes a conversion of ``source`` to ``targets`` declares.

    Args:
        source: the format.
    """
    wanted = set(targets)
    alike = [row for row in known if row.source == source and row.target in wanted and _similar(row, source_bytes)]
    if {row.target for row in alike} == wanted:
        return CHILDREN * max(row.peak_rss_bytes for row in alike)
    return BASE_BYTES + COPIES * source_bytes


def _similar(row: Seen, size_bytes: int) -> bool:
    one, other = max(row.source_bytes, _NEAR_BYTES), max(size_bytes, _NEAR_BYTES)
    return max(one, other) <= SIMILAR * min(one, other)


def _read(path: Path) -> Seen | None:
    record = store.read_json(path)
    if not isinstance(record, dict) or not record.get("route"):
        return None
    source = Path(record["source"]["path"])
    peak = max(int(step["peak_rss_bytes"]) for step in record["route"])
    if not source.exists() or not peak:
        return None
    return Seen(record["source"]["format"], path.parent.name, size_of(source), peak)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where there is none."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
