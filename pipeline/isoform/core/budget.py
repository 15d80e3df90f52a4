"""What a model may cost, as ``--budget p50<2ms,size<5MB`` says it, and what goes beyond it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from isoform.core import spelling
from isoform.core.bench import QUANTILES, BenchRecord, Timing
from isoform.core.statistics import queries_needed
from isoform.errors import UsageError

_TIME = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_FIGURES: dict[str, Callable[[Timing], float | None]] = {
    "import": lambda timing: timing.import_ns,
    "load": lambda timing: timing.load_ns,
    "first": lambda timing: timing.first_ns,
    "peak": lambda timing: timing.peak_rss_bytes,
    **{name: lambda timing, name=name: timing.quantile_ns(name) for name in QUANTILES if name != "p50"},  # type: ignore[misc]
    "p50": lambda timing: timing.median_ns,
}
_OF_BYTES = ("peak", "size")
METRICS = ("p50", "p90", "p99", "p99.9", "first", "load", "import", "peak", "size")
_LIMIT = re.compile(r"\s*([a-z0-9.]+)\s*<=?\s*([0-9]*\.?[0-9]+)\s*([A-Za-zµ]+)\s*")


@dataclass(frozen=True)
class Limit:
    """A metric and what it must stay below, in nanoseconds or bytes; ``text`` is how it was given."""

    metric: str
    most: float
    text: str


def parse(text: str) -> tuple[Limit, ...]:
    """Return the limits in ``p50<2ms,size<5MB``.

    Raises:
        UsageError: not of that form, an unknown metric, or a unit that does not measure it.
    """
    return tuple(_limit(part) for part in text.split(",") if part.strip()) or _refuse(text)


def over(record: BenchRecord, limits: Sequence[Limit]) -> list[str]:
    """Return what goes beyond ``limits``, or cannot be told, each in one line; at every number of threads measured."""
    return [line for limit in limits for line in _over(record, limit)]


def _over(record: BenchRecord, limit: Limit) -> Iterator[str]:
    if limit.metric == "size":
        if record.size_bytes >= limit.most:
            yield f"size is {record.size_bytes / 1e6:.3g} MB, the budget {limit.text}"
        return
    for timing in record.timings:
        found = _FIGURES[limit.metric](timing)
        at = f"on {timing.threads} thread{'s' * (timing.threads != 1)}"
        if found is None:
            wanted = queries_needed(QUANTILES[limit.metric])
            yield f"{limit.metric} {at} takes {wanted} queries, there are {timing.queries}: raise --rounds"
        elif found >= limit.most:
            unit = f"{found / 2**20:.4g} MiB" if limit.metric in _OF_BYTES else f"{found / 1e6:.4g} ms"
            yield f"{limit.metric} {at} is {unit}, the budget {limit.text}"


def _limit(part: str) -> Limit:
    match = _LIMIT.fullmatch(part)
    if match is None:
        _refuse(part)
    metric, number, unit = match.groups()  # type: ignore[union-attr]
    if metric not in METRICS:
        raise UsageError(f"--budget: there is no metric '{metric}'.", spelling.hint(metric, METRICS))
    units = _BYTES if metric in _OF_BYTES else _TIME
    if unit not in units:
        raise UsageError(f"--budget: '{unit}' does not measure {metric}.", f"One of: {', '.join(units)}.")
    return Limit(metric, float(number) * units[unit], part.strip())


def _refuse(text: str) -> tuple[Limit, ...]:
    raise UsageError(f"--budget: '{text.strip()}' is not METRIC<VALUE.", "For example: --budget 'p50<2ms,size<5MB'")
