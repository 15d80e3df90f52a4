"""Is one artifact slower than another: judged by pairs of processes that took turns, and only where it can be told.

The baseline runs twice in each group, so that the machine is tested by the same blocks that the verdict is read from:
one that cannot tell a model from itself gives no verdict, but for differences that are far beyond what it makes of a
model and itself. No block is ever dropped. Not aware of how blocks are timed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isoform.core.statistics import median, median_interval

FASTER, SLOWER, SAME = "faster", "slower", "same"
UNCLEAR, UNFIT = "not distinguishable", "machine unfit"
THRESHOLD = 0.03
"""A model against itself, in interleaved blocks with a bootstrap over pairs, was never called different beyond 3 %, and
a true 5 % always was."""

FAR = 3
"""Times the farthest that the baseline may be from itself: beyond that a difference is told on any machine."""


@dataclass(frozen=True)
class CompareOptions:
    """How much is measured.

    Attributes:
        groups: of three processes, at first; as many are added while the verdict is open, up to ``most_groups``.
        blocks: of each process; block_s: how long one takes at least.
        threads: intra-operator threads, each compared apart; 0 is all cores.
        batch: samples in one query.
        warmup_s, warmup_limit_s: shortest and longest warm-up of a process.
    """

    groups: int = 10
    most_groups: int = 30
    blocks: int = 20
    block_s: float = 0.05
    threads: tuple[int, ...] = (1, 0)
    batch: int = 1
    threshold: float = THRESHOLD
    warmup_s: float = 0.3
    warmup_limit_s: float = 2.0


@dataclass(frozen=True)
class Group:
    """Three processes that were alive together: nanoseconds a query in each block, block by block.

    Attributes:
        control: the baseline once more, in a process of its own.
    """

    baseline: tuple[float, ...]
    control: tuple[float, ...]
    candidate: tuple[float, ...]

    @property
    def log_ratio(self) -> float:
        """The median over blocks of ln(candidate / baseline)."""
        return _log_ratio(self.candidate, self.baseline)

    @property
    def control_log_ratio(self) -> float:
        """The same of the baseline against itself."""
        return _log_ratio(self.control, self.baseline)

    def to_json(self) -> dict[str, Any]:
        return {
            "baseline_ns": list(self.baseline),
            "control_ns": list(self.control),
            "candidate_ns": list(self.candidate),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Group":
        sides = (tuple(map(float, document[f"{side}_ns"])) for side in ("baseline", "control", "candidate"))
        return cls(*sides)


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline at one number of threads.

    Attributes:
        threads: intra-operator threads of each process.
        groups: the independent samples.
        threshold: the part by which a latency has to differ to count.
    """

    threads: int
    groups: tuple[Group, ...]
    threshold: float = THRESHOLD

    @property
    def ratio(self) -> float:
        """The candidate's latency / the baseline's."""
        return math.exp(median([group.log_ratio for group in self.groups]))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `ratio`, bootstrapped over groups; None below six of them."""
        return _interval([group.log_ratio for group in self.groups])

    @property
    def control_ratio(self) -> float:
        return math.exp(median([group.control_log_ratio for group in self.groups]))

    @property
    def control_interval(self) -> tuple[float, float] | None:
        return _interval([group.control_log_ratio for group in self.groups])

    @property
    def baseline_ns(self) -> float:
        """The baseline's latency: the median over groups of its median block."""
        return median([median(group.baseline) for group in self.groups])

    @property
    def candidate_ns(self) -> float:
        """The candidate's latency: the baseline's, times the ratio of the two in turns."""
        return self.baseline_ns * self.ratio

    @property
    def verdict(self) -> str:
        """Faster, slower or same where the whole interval says so; unfit where the baseline is not its own equal.

        Even then what lies beyond `FAR` times, as logarithms, the farther end of the baseline's own interval is told.
        """
        control = self.control_interval
        if _told(control, self.threshold) == SAME:
            return _told(self.interval, self.threshold)
        if control is None:
            return UNFIT
        far = FAR * max(abs(math.log(end)) for end in control)
        told = _told(self.interval, math.expm1(max(far, math.log1p(self.threshold))))
        return told if told in (FASTER, SLOWER) else UNFIT

    @property
    def is_settled(self) -> bool:
        return self.verdict not in (UNCLEAR, UNFIT)

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "verdict": self.verdict,
            "ratio": self.ratio,
            "interval_95": _listed(self.interval),
            "control_ratio": self.control_ratio,
            "control_interval_95": _listed(self.control_interval),
            "threshold": self.threshold,
            "baseline_ns": self.baseline_ns,
            "groups": [group.to_json() for group in self.groups],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Comparison":
        """Return the comparison of a document; ratio, interval and verdict follow from its groups again."""
        groups = tuple(Group.from_json(group) for group in document["groups"])
        return cls(int(document["threads"]), groups, float(document["threshold"]))

    def __str__(self) -> str:
        figures = f"{self.ratio:.3f} times the baseline's {self.baseline_ns / 1e6:.3f} ms{_shown(self.interval)}"
        control = f"the baseline against itself {self.control_ratio:.3f}{_shown(self.control_interval)}"
        return f"{self.verdict}  {figures} on {self.threads} thread{'s' * (self.threads != 1)}; {control}"


def _told(interval: tuple[float, float] | None, threshold: float) -> str:
    """Return whether a ratio with this interval is beyond or within the threshold."""
    if interval is None:
        return UNCLEAR
    low, high = interval
    if low > 1 + threshold:
        return SLOWER
    if high < 1 / (1 + threshold):
        return FASTER
    return SAME if low >= 1 / (1 + threshold) and high <= 1 + threshold else UNCLEAR


def _log_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return median([math.log(our / their) for our, their in zip(ours, theirs, strict=True)])


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    found = median_interval(values)
    return None if found is None else (math.exp(found[0]), math.exp(found[1]))


def _listed(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _shown(interval: tuple[float, float] | None) -> str:
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval is not None else " (too few for an interval)"
