"""What one inference takes: multiply-accumulates and bytes; and the roofline: what the machine allows of that.

S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", CACM 52 (2009): operations a
second are at most the arithmetic ceiling, and at most the memory ceiling times operations a byte. Not aware of how
anything was counted or measured.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

MOST_INTEGERS = 0.5
"""Beyond this share of integers a roofline under ceilings of float32 alone says nothing."""


@dataclass(frozen=True)
class Work:
    """What is counted of one inference at the sizes of one query.

    Attributes:
        counted_from: which graph was counted: the file itself, or the ONNX file of the same export.
        macs: multiply-accumulates of layers; one is two floating-point operations. Nothing else is counted as any.
        weight_bytes: weights read, of a table only the rows looked up.
        input_bytes, output_bytes: of the query and of its answer.
        most_bytes: if every operator reads its inputs from memory and writes its outputs to it.
        unknown: layers that are missing in these figures, as their sizes could not be told.
    """

    counted_from: str
    macs: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    most_bytes: int
    unknown: tuple[str, ...] = ()

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def fewest_bytes(self) -> int:
        """Weights, inputs and outputs, each moved once."""
        return self.weight_bytes + self.input_bytes + self.output_bytes

    @property
    def intensity(self) -> tuple[float, float] | None:
        """Operations a byte, from ``most_bytes`` to ``fewest_bytes``; None without any, or where layers are missing."""
        if not self.macs or self.unknown:
            return None
        most = max(self.most_bytes, self.fewest_bytes)
        return self.flops / most, self.flops / self.fewest_bytes

    def named(self, counted_from: str) -> "Work":
        return replace(self, counted_from=counted_from)

    def to_json(self) -> dict[str, Any]:
        derived = {"flops": self.flops, "fewest_bytes": self.fewest_bytes}
        return {"is_known": True, "reason": None} | asdict(self) | derived | {"unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Work":
        kept = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**{**kept, "unknown": tuple(record["unknown"])})


def untold(reason: str) -> dict[str, Any]:
    """Return what stands in a record in place of `Work`, or of a placement, where there is none."""
    return {"is_known": False, "reason": reason}


@dataclass(frozen=True)
class Ceiling:
    """What a machine was measured to reach with one number of threads: in arithmetic, and in memory or a cache."""

    flops_per_s: float
    bytes_per_s: float

    def attainable(self, intensity: float) -> float:
        """Return the operations a second that it allows at an intensity in operations a byte."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)


def of_details(details: Mapping[str, Any], threads: int, query_ns: float) -> dict[str, Any] | None:
    """Return the roofline of a query from what a benchmark tells beyond latency; None where some of it is not known.

    None too where most of the arithmetic is of integers and no ceiling of these was measured.
    """
    counted, ceiling = details.get("work") or {}, ceiling_of(details, threads)
    if not counted.get("is_known") or ceiling is None:
        return None
    return roofline(Work.from_json(counted), query_ns, ceiling)


def ceiling_of(details: Mapping[str, Any], threads: int) -> Ceiling | None:
    """Return the ceilings for the arithmetic of a model, None where they are not known.

    Where a share of the operations is of integers, the two kinds take their times one after the other:
    1 / (share / integers + (1 - share) / floats), G. Amdahl's law.
    """
    row = (details.get("ceilings") or {}).get("threads", {}).get(str(threads))
    if row is None:
        return None
    share, floats, integers = integer_share(details), float(row["flops_per_s"]), row.get("integer_ops_per_s")
    if integers is None and share > MOST_INTEGERS:
        return None
    rate = floats if integers is None else 1 / (share / float(integers) + (1 - share) / floats)
    return Ceiling(rate, float(row["bytes_per_s"]))


def integer_share(details: Mapping[str, Any]) -> float:
    """Return the share of multiply-accumulates that was seen to be of integers; 0 where nobody looked."""
    placed = (details.get("placement") or {}).get("summary") or {}
    return float(placed.get("mac_share_integer") or 0)


def roofline(work: Work, query_ns: float, ceiling: Ceiling) -> dict[str, Any] | None:
    """Return where a query stands below the ceilings, or None where its work is not known.

    ``share`` is of what is allowed if each byte moves once: the more lenient end would flatter.
    """
    if work.intensity is None or not query_ns > 0:
        return None
    low, high = work.intensity
    achieved = work.flops * 1e9 / query_ns
    allowed = ceiling.attainable(high)
    return {
        "intensity": [low, high],
        "achieved_flops_per_s": achieved,
        "achieved_bytes_per_s": achieved / high,
        "attainable_flops_per_s": [ceiling.attainable(low), allowed],
        "share": achieved / allowed,
        "bound": "arithmetic" if allowed == ceiling.flops_per_s else "memory",
    }
