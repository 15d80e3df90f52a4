"""Which exports nothing beats: a Pareto front that knows what its figures can tell apart. Numbers only, no record.

Sizes are compared to two digits and lost bits in whole bits, so that a header's length or half a bit makes no winner;
latencies by their intervals: one that overlaps another is neither faster nor slower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one export costs: bytes, the interval of its median latency in nanoseconds, and bits lost."""

    size_bytes: float
    latency_ns: tuple[float, float]
    lost_bits: float

    @property
    def size(self) -> float:
        """The size to two digits."""
        if self.size_bytes <= 0:
            return 0.0
        unit = 10.0 ** (math.floor(math.log10(self.size_bytes)) - 1)
        return round(self.size_bytes / unit) * unit

    @property
    def bits(self) -> float:
        """The bits lost, whole."""
        return self.lost_bits if math.isinf(self.lost_bits) else float(round(self.lost_bits))


def beats(one: Cost, other: Cost) -> bool:
    """Return whether ``one`` is worse in nothing and better in something, as far as the figures tell."""
    is_slower = one.latency_ns[0] > other.latency_ns[1]
    is_faster = one.latency_ns[1] < other.latency_ns[0]
    is_worse = is_slower or one.size > other.size or one.bits > other.bits
    return not is_worse and (is_faster or one.size < other.size or one.bits < other.bits)


def front(costs: Sequence[Cost]) -> list[bool]:
    """Return of each whether nothing beats it. Never all False: rounded figures and intervals go in no circle."""
    return [not any(beats(other, cost) for other in costs) for cost in costs]


def steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of the staircase below which no point lies, from left to right; both axes better when low."""
    corners: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if not corners:
            corners.append((x, y))
        elif y < corners[-1][1]:
            corners += [(x, corners[-1][1]), (x, y)]
    return corners
