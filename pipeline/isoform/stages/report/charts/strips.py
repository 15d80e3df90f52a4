"""A row for each export, its name above: where its latency lies, and how its queries scatter around their median."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from isoform.core.statistics import median
from isoform.stages.report import axis, svg
from isoform.stages.report.axis import Axis
from isoform.stages.report.text import tick_text, time_text

LEFT, RIGHT = 10, svg.WIDTH - 10
TOP, ROW = 6, 36
BINS = 76
TALLEST = 15
_WIDEST = 4.0
"""An axis of ratios never reaches further than this factor: queries beyond are counted, not drawn."""
_RATIOS = (1.0, 2.0, 0.5, 4.0, 0.25, 1.5, 3.0, 0.7, 1.2, 0.8, 1.1, 0.9)
_TICK_GAP = 44


@dataclass(frozen=True)
class Timed:
    """What one number of threads took: the median, the interval it lies in (nanoseconds), and how it is called."""

    median_ns: float
    interval_ns: tuple[float, float]
    name: str


@dataclass(frozen=True)
class Place:
    """One row of `latencies`; the first of ``timed`` has a filled mark, the others hollow ones."""

    label: str
    place: int
    timed: tuple[Timed, ...]
    is_struck: bool = False


@dataclass(frozen=True)
class Strip:
    """One row of `spreads`: the queries of each process in nanoseconds, their median of medians and its interval."""

    label: str
    place: int
    processes: tuple[Sequence[int], ...]
    median_ns: float
    interval_ns: tuple[float, float]
    is_struck: bool = False


def latencies(name: str, rows: Sequence[Place], title: str, description: str) -> str:
    """Return one mark for each number of threads over a logarithmic axis of time, with its interval."""
    height, bottom = _height(len(rows))
    xs = axis.logarithmic([end for row in rows for timed in row.timed for end in timed.interval_ns], LEFT, RIGHT)
    parts = [svg.across(xs, TOP, bottom, lambda tick: tick_text(time_text(tick)), "median latency")]
    for index, row in enumerate(rows):
        top = TOP + index * ROW
        y = top + 25
        told = " · ".join(f"{timed.name} {time_text(timed.median_ns)}" for timed in row.timed)
        parts += _named(row.label, told, top, row.is_struck)
        places = [xs.place(timed.median_ns) for timed in row.timed]
        if len(places) > 1:
            parts.append(svg.path("leader", f"M{min(places):.1f} {y}H{max(places):.1f}"))
        for number, timed in reversed(list(enumerate(row.timed))):
            parts.append(_interval(xs, timed.interval_ns, y, row.place))
            parts.append(svg.mark(row.place, places[number], y, is_filled=number == 0))
        if row.is_struck:
            parts.append(svg.cross(places[0], y))
    return svg.frame(name, "".join(parts), height, title, description)


def spreads(name: str, rows: Sequence[Strip], title: str, description: str) -> str:
    """Return, for each row, a histogram of each process's queries over their distance from the row's median.

    Below each: its processes' medians as ticks, on a bar that is the interval of the median.
    """
    height, bottom = _height(len(rows))
    xs = _ratios(rows)
    parts = [svg.across(xs, TOP, bottom, lambda tick: f"× {tick:.3g}", "latency / its own median")]
    for index, row in enumerate(rows):
        top = TOP + index * ROW
        base = top + 30
        beyond = [query for process in row.processes for query in process if not _is_within(xs, query / row.median_ns)]
        farthest = max(beyond, key=lambda query: abs(math.log(query / row.median_ns)), default=row.median_ns)
        far = f"{len(beyond)} beyond, as far as × {farthest / row.median_ns:.3g}" if beyond else ""
        parts += _named(row.label, far, top, row.is_struck)
        parts += _histograms(xs, row, base)
        ends = (row.interval_ns[0] / row.median_ns, row.interval_ns[1] / row.median_ns)
        parts.append(_interval(xs, ends, base + 2.5, row.place))
        ticks = "".join(f"M{xs.place(_held(xs, each)):.1f} {base}v5" for each in _medians(row))
        parts.append(svg.path(f"s{row.place} thin", ticks))
    return svg.frame(name, "".join(parts), height, title, description)


def counts(xs: Axis, ratios: Sequence[float]) -> list[int]:
    """Return how many of ``ratios`` fall into each of `BINS` equal parts of the axis; what lies beyond is in none."""
    width = (xs.end - xs.start) / BINS
    found = [0] * BINS
    for ratio in ratios:
        if _is_within(xs, ratio):
            found[min(int((xs.place(ratio) - xs.start) / width), BINS - 1)] += 1
    return found


def _histograms(xs: Axis, row: Strip, base: float) -> list[str]:
    """Return one silhouette a process, all to the scale of the highest bin of the row."""
    binned = [counts(xs, [query / row.median_ns for query in process]) for process in row.processes]
    shares = [[count / len(process) for count in bins] for bins, process in zip(binned, row.processes, strict=True)]
    most = max((share for process in shares for share in process), default=0) or 1
    return [
        svg.path(f"s{row.place} cloud", outline([round(TALLEST * share / most, 1) for share in process], xs, base))
        for process in shares
        if any(process)
    ]


def outline(heights: Sequence[float], xs: Axis, base: float) -> str:
    """Return the path of a histogram's silhouette above ``base``, from its first bin that is not empty to its last."""
    filled = [index for index, height in enumerate(heights) if height]
    width = (xs.end - xs.start) / BINS
    parts, level = [f"M{xs.start + filled[0] * width:.1f} {base}"], 0.0
    for height in heights[filled[0] : filled[-1] + 1]:
        if height != level:
            parts.append(f"v{level - height:.1f}")
        parts.append(f"h{width:g}")
        level = height
    return "".join([*parts, f"v{level:.1f}z"])


def _ratios(rows: Sequence[Strip]) -> Axis:
    """Return an axis that holds 98 of 100 queries of every row, unless they lie further than a factor of `_WIDEST`."""
    lows, highs = [], []
    for row in rows:
        ordered = sorted(query / row.median_ns for process in row.processes for query in process)
        lows.append(ordered[int(0.01 * (len(ordered) - 1))])
        highs.append(ordered[math.ceil(0.99 * (len(ordered) - 1))])
    low, high = max(min(lows), 1 / _WIDEST), min(max(highs), _WIDEST)
    found = axis.logarithmic((min(low, 1.0), max(high, 1.0)), LEFT, RIGHT, at_least=1.4, margin=1.03)
    return replace(found, ticks=_ratio_ticks(found))


def _ratio_ticks(xs: Axis) -> tuple[float, ...]:
    """Return the ratios to write: 1 first, then others in the order of `_RATIOS` where there is room beside it."""
    chosen: list[float] = []
    for ratio in _RATIOS:
        place = xs.place(ratio)
        if LEFT + 8 <= place <= RIGHT - 8 and all(abs(place - xs.place(other)) >= _TICK_GAP for other in chosen):
            chosen.append(ratio)
    return tuple(sorted(chosen))


def _medians(row: Strip) -> list[float]:
    return [median(process) / row.median_ns for process in row.processes]


def _interval(xs: Axis, ends: tuple[float, float], y: float, place: int) -> str:
    low, high = (xs.place(_held(xs, end)) for end in ends)
    return svg.path(f"s{place} thick", f"M{low:.1f} {y:g}H{max(high, low + 1):.1f}")


def _held(xs: Axis, value: float) -> float:
    return min(max(value, xs.low), xs.high)


def _is_within(xs: Axis, ratio: float) -> bool:
    return xs.low <= ratio <= xs.high


def _named(label: str, told: str, top: float, is_struck: bool) -> list[str]:
    """Return a row's name on the left and its figures on the right, above where it is drawn."""
    room = 62 - len(told)
    return [
        svg.label(LEFT, top + 12, label, "label struck" if is_struck else "label", most=room),
        svg.label(RIGHT, top + 12, told, "tick", "end"),
    ]


def _height(rows: int) -> tuple[float, float]:
    """Return the height of a drawing of so many rows, and where its axis is."""
    bottom = TOP + rows * ROW + 4
    return bottom + 40, bottom
