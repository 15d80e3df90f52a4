"""What one inference takes: multiply-accumulates and bytes; and the roofline: what the machine allows of that.

S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", CACM 52 (2009): operations a
second are at most the arithmetic ceiling, and at most the memory ceiling times operations a byte. Not aware of how
anything was counted or measured.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

MOST_INTEGERS = 0.5
"""Beyond this share of integers a roofline under ceilings of float32 says nothing."""


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
    """What a machine was measured to reach with one number of threads: in float32, and in memory or a cache of it."""

    flops_per_s: float
    bytes_per_s: float

    def attainable(self, intensity: float) -> float:
        """Return the operations a second that it allows at an intensity in operations a byte."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)


def of_details(details: Mapping[str, Any], threads: int, query_ns: float) -> dict[str, Any] | None:
    """Return the roofline of a query from what a benchmark tells beyond latency; None where some of it is not known.

    None too where most of the arithmetic is of integers: the ceilings are of float32.
    """
    counted, ceilings = details.get("work") or {}, (details.get("ceilings") or {}).get("threads", {})
    if not counted.get("is_known") or str(threads) not in ceilings:
        return None
    placed = (details.get("placement") or {}).get("summary", {})
    if (placed.get("mac_share_integer") or 0) > MOST_INTEGERS:
        return None
    ceiling = ceilings[str(threads)]
    return roofline(
        Work.from_json(counted), query_ns, Ceiling(float(ceiling["flops_per_s"]), float(ceiling["bytes_per_s"]))
    )


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
