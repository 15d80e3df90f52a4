"""Charts as SVG text that follows the page's colours. Every mark has a title, and no colour stands alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 16, 56
_SHAPES = ("circle", "square", "triangle", "diamond")


@dataclass(frozen=True)
class Point:
    """One mark.

    Attributes:
        series: which marks share colour and shape.
        label: what a reader sees on hovering, and what a screen reader says.
    """

    x: float
    y: float
    series: str
    label: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """One curve over 1, 2, 3 ..."""

    series: str
    values: Sequence[float]


def scatter(points: Sequence[Point], x_title: str, y_title: str) -> str:
    """Return points over two logarithmic axes, with a legend; intervals are vertical bars."""
    if not points:
        return ""
    xs, ys = _Axis.logarithmic([point.x for point in points]), _Axis.logarithmic([point.y for point in points])
    series = list(dict.fromkeys(point.series for point in points))
    marks = []
    for point in points:
        x, y = xs.place(point.x, _LEFT, WIDTH - _RIGHT), ys.place(point.y, HEIGHT - _BOTTOM, _TOP)
        place = series.index(point.series)
        bar = ""
        if point.interval is not None:
            low, high = (ys.place(value, HEIGHT - _BOTTOM, _TOP) for value in point.interval)
            bar = f'<line class="s{place}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        marks.append(f"<g><title>{escape(point.label)}</title>{bar}{_mark(place, x, y)}</g>")
    return _frame(_grid(xs, ys) + "".join(marks), series, x_title, y_title, is_line=False)


def curves(lines: Sequence[Line], y_title: str) -> str:
    """Return curves over epochs, with a legend."""
    values = [value for line in lines for value in line.values]
    if not values:
        return ""
    xs = _Axis.linear([1.0, float(max(len(line.values) for line in lines))])
    ys = _Axis.linear([*values, 0.0])
    drawn = []
    for place, line in enumerate(lines):
        points = " ".join(
            f"{xs.place(epoch, _LEFT, WIDTH - _RIGHT):.1f},{ys.place(value, HEIGHT - _BOTTOM, _TOP):.1f}"
            for epoch, value in enumerate(line.values, start=1)
        )
        dashes = f' stroke-dasharray="{2 * place} 3"' if place else ""
        drawn.append(
            f'<polyline class="s{place}" points="{points}"{dashes}><title>{escape(line.series)}</title></polyline>'
        )
    return _frame(_grid(xs, ys) + "".join(drawn), [line.series for line in lines], "epoch", y_title, is_line=True)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: tuple[float, ...]
    is_logarithmic: bool

    @classmethod
    def logarithmic(cls, values: Sequence[float]) -> "_Axis":
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        high += high == low
        return cls(low, high, tuple(10.0**power for power in range(low, high + 1)), True)

    @classmethod
    def linear(cls, values: Sequence[float]) -> "_Axis":
        low, high = min(values), max(values)
        span = high - low or 1.0
        step = 10 ** math.floor(math.log10(span / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
        first, last = math.floor(low / step), math.ceil(high / step)
        last += last == first
        return cls(first * step, last * step, tuple(index * step for index in range(first, last + 1)), False)

    def place(self, value: float, start: float, end: float) -> float:
        position = math.log10(value) if self.is_logarithmic else value
        return start + (position - self.low) / (self.high - self.low) * (end - start)


def _grid(xs: _Axis, ys: _Axis) -> str:
    parts = []
    for tick in ys.ticks:
        y = ys.place(tick, HEIGHT - _BOTTOM, _TOP)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in xs.ticks:
        x = xs.place(tick, _LEFT, WIDTH - _RIGHT)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_number(tick)}</text>')
    return "".join(parts)


def _frame(content: str, series: Sequence[str], x_title: str, y_title: str, *, is_line: bool) -> str:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    titles = (
        f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
    )
    legend = "".join(
        f'<li><svg class="key" viewBox="0 0 24 16" aria-hidden="true">{_key(place, is_line)}</svg>{escape(name)}</li>'
        for place, name in enumerate(series)
    )
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_title)} by {escape(x_title)}">'
    return f'{drawing}{content}{titles}</svg><ul class="legend">{legend}</ul>'


def _key(place: int, is_line: bool) -> str:
    if not is_line:
        return _mark(place, 12, 8)
    dashes = f' stroke-dasharray="{2 * place} 3"' if place else ""
    return f'<line class="s{place}" x1="1" x2="23" y1="8" y2="8"{dashes}/>'


def _mark(place: int, x: float, y: float) -> str:
    shape, r = _SHAPES[place % len(_SHAPES)], 6
    if shape == "circle":
        return f'<circle class="s{place}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
    corners = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)],
        "diamond": [(0, -r - 2), (r + 2, 0), (0, r + 2), (-r - 2, 0)],
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon class="s{place}" points="{points}"/>'


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 10_000 else f"{value:.0e}"
