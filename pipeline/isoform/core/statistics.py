"""Quantiles and intervals for timings, with the counts below which a figure may not be given.

Not aware of what is timed. No observation is ever dropped.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

CONFIDENCE = 0.99
RESAMPLES = 2_000
SEED = 20_26
FEWEST_FOR_INTERVAL = 6
"""Even the whole range of five values holds the median with 1 - 2 * 0.5**5 = 94 %; of six with 97 %."""


@cache
def queries_needed(quantile: float) -> int:
    """Return how many queries a latency quantile takes: 64 for p90, 662 for p99, 6,636 for p99.9.

    The smallest n for which two or more queries beyond the quantile are 99 % certain, which is MLPerf LoadGen's rule
    of early stopping: ``q**n + n (1 - q) q**(n - 1) <= 1 - confidence``.
    """
    count = 1
    while quantile**count + count * (1 - quantile) * quantile ** (count - 1) > 1 - CONFIDENCE:
        count += 1
    return count


def quantile(values: Sequence[float], fraction: float) -> float | None:
    """Return the smallest observation that ``fraction`` of all do not exceed, or None where they are too few."""
    if len(values) < queries_needed(fraction):
        return None
    rank = math.ceil(fraction * len(values) - 1e-9)  # 0.9 * 10 is 9.000000000000002 in some orders
    return sorted(values)[rank - 1]


def undisturbed(values: Sequence[float]) -> float:
    """Return the lower decile: how long a query takes while nothing else takes its processor.

    On a loaded machine the median lies where the queries begin that were interrupted, and says more of the load.
    """
    return float(np.quantile(np.asarray(values, dtype=np.float64), 0.1))


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    return float(np.median(np.asarray(values, dtype=np.float64)))


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of the median, or None below six values; seeded, so it repeats."""
    if len(values) < FEWEST_FOR_INTERVAL:
        return None
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(np.asarray(values, dtype=np.float64), (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
