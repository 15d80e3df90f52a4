"""What bench.json says beyond latency: where operators ran, the arithmetic they take, and what the machine could do.

Read as it was written, each key on its own: older records lack some, and one that is not as described is left out, not
guessed. Not aware of how any of it was measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from isoform.core.work import ceiling_of
from isoform.stages.report.ranking import Row

_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Placement:
    """Where the operators of one artifact ran.

    Attributes:
        target: the provider or delegate that was asked for.
        macs: multiply-accumulates on each target that took part; by_arithmetic: on integers, floats, or neither.
        operators: operators on each target, for a graph without arithmetic.
        off_target: the operators that ran elsewhere, with how many of them did.
        inserted: casts, copies and so on that the graph did not ask for.
    """

    target: str
    partitions: int | None
    macs: Mapping[str, int]
    by_arithmetic: Mapping[str, int]
    operators: Mapping[str, int]
    off_target: Mapping[str, int]
    inserted: Mapping[str, int]


@dataclass(frozen=True)
class Achieved:
    """One timing under the machine's ceilings.

    Attributes:
        intensity: operations a byte, from every tensor read and written to each byte moved once.
        flops_per_s: what was reached; attainable: what the ceilings allow at either end of ``intensity``.
    """

    intensity: tuple[float, float]
    flops_per_s: float
    attainable: tuple[float, float]
    share: float
    bound: str


@dataclass(frozen=True)
class Ceiling:
    """What the machine itself was measured to reach with one number of threads, in the arithmetic of one model."""

    flops_per_s: float
    bytes_per_s: float


def placement(row: Row) -> Placement | None:
    """Return where the operators of a row ran, or None where that is not known."""
    return _read(lambda: _placement(row.written["placement"]))


def unplaced(row: Row) -> str | None:
    """Return why it is not known where the operators of a row ran; None where it is known, or was never asked."""

    def found() -> str | None:
        record = row.written["placement"]
        return None if record["is_known"] else str(record["reason"] or "not known")

    return _read(found)


def achieved(row: Row, threads: int) -> Achieved | None:
    """Return how far a timing got, or None where that is not recorded."""
    return _read(lambda: _achieved(_summary(row, threads)["roofline"]))


def ceiling(row: Row, threads: int) -> Ceiling | None:
    """Return the machine's ceilings at a number of threads, or None where they were not measured."""

    def found() -> Ceiling:
        known = ceiling_of(row.written, threads)
        if known is None:
            raise ValueError("not measured")
        return Ceiling(_positive(known.flops_per_s), _positive(known.bytes_per_s))

    return _read(found)


def throughput(row: Row, threads: int) -> tuple[float, tuple[float, float] | None] | None:
    """Return samples a second with queries back to back and its 95 % interval, or None where that was not measured."""
    timing = row.timing(threads)
    return None if timing is None else row.record.throughput(timing)


def mlperf(written: Mapping[str, Any]) -> list[str]:
    """Return what MLPerf's load generator said of one benchmark, a sentence for each scenario."""
    return _read(lambda: [_scenario(name, each) for name, each in (written.get("mlperf") or {}).items()]) or []


def _scenario(name: str, record: Mapping[str, Any]) -> str:
    word = "valid" if record["is_valid"] else "not valid"
    brief = ", shortened and so no MLPerf result" if record.get("is_quick") else ", no MLPerf submission"
    return (
        f"{name}: {float(record['result']):.4g} {record['unit']} ({word}{brief}), {int(record['samples'])} samples in "
        f"{float(record['duration_s']):.0f} s"
    )


def _placement(record: Mapping[str, Any]) -> Placement:
    if not record["is_known"]:
        raise ValueError(record["reason"])
    macs: dict[str, int] = {}
    by_arithmetic: dict[str, int] = {}
    operators: dict[str, int] = {}
    for node in record["nodes"]:
        target = str(node["target"])
        operators[target] = operators.get(target, 0) + 1
        if node.get("macs"):
            macs[target] = macs.get(target, 0) + int(node["macs"])
            kind = str(node["arithmetic"])
            by_arithmetic[kind] = by_arithmetic.get(kind, 0) + int(node["macs"])
    summary = record["summary"]
    partitions = record.get("partitions")
    return Placement(
        str(record["target"]), None if partitions is None else int(partitions), macs, by_arithmetic, operators,
        {str(name): int(count) for name, count in summary["off_target_operators"].items()},
        {str(name): int(count) for name, count in summary["inserted"].items()},
    )  # fmt: skip


def _achieved(record: Mapping[str, Any]) -> Achieved:
    low, high = record["intensity"]
    lowest, highest = record["attainable_flops_per_s"]
    return Achieved(
        (_positive(low), _positive(high)), _positive(record["achieved_flops_per_s"]),
        (_positive(lowest), _positive(highest)), float(record["share"]), str(record["bound"]),
    )  # fmt: skip


def _summary(row: Row, threads: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(each["summary"] for each in row.written["timings"] if each["threads"] == threads)
    return found


def _positive(value: Any) -> float:
    if not float(value) > 0:
        raise ValueError(value)
    return float(value)


def _read(found: Callable[[], Found]) -> Found | None:
    try:
        return found()
    except _DAMAGE:
        return None
