"""Charts as SVG text that follows the page's colours. Every mark is labelled, and no colour stands alone.

Drawn for a width of 420: a phone shows them almost as they are, a wide screen two or three side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from isoform.stages.report import axis
from isoform.stages.report.axis import Axis
from isoform.stages.report.text import visible

WIDTH, HEIGHT = 420, 300
_LEFT, _TOP, _BOTTOM = 52, 16, 250
_GAP = 17
SHAPES = ("circle", "square", "triangle", "diamond")
_CORNERS = {
    "square": [(-5, -5), (5, -5), (5, 5), (-5, 5)],
    "triangle": [(0, -6), (6, 5), (-6, 5)],
    "diamond": [(0, -7), (7, 0), (0, 7), (-7, 0)],
}


@dataclass(frozen=True)
class Point:
    """One mark.

    Attributes:
        place: colour and shape, counted from 0.
        is_filled: a hollow mark otherwise.
        is_struck: crossed out, mark and label: it failed.
        interval: a vertical bar.
    """

    x: float
    y: float
    place: int
    label: str
    is_filled: bool = True
    is_struck: bool = False
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """One curve over 1, 2, 3 ...; ``place`` is its colour."""

    place: int
    label: str
    values: Sequence[float]
    is_dashed: bool = False


def scatter(points: Sequence[Point], title: str, x_title: str, y_title: str) -> str:
    """Return points over two logarithmic axes, each joined to its label in a column on the right."""
    right = 205
    ends = [end for point in points for end in (point.y, *(point.interval or ()))]
    xs = axis.logarithmic([point.x for point in points], _LEFT, right)
    ys = axis.logarithmic(ends, _BOTTOM, _TOP)
    labels = axis.spread([ys.place(point.y) for point in points], _GAP, _TOP, HEIGHT - 12)
    parts = [_grid(xs, ys)]
    for point, y_label in zip(points, labels, strict=True):
        x, y = xs.place(point.x), ys.place(point.y)
        parts.append(f'<path class="leader" d="M{x + 8:.1f} {y:.1f}L{right + 4} {y:.1f}L{right + 18} {y_label:.1f}"/>')
        parts.append(_label(right + 22, y_label, point.label, "struck" if point.is_struck else ""))
    for point in points:
        x, y = xs.place(point.x), ys.place(point.y)
        if point.interval is not None:
            low, high = (ys.place(value) for value in point.interval)
            parts.append(f'<path class="s{point.place}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(mark(point.place, x, y, is_filled=point.is_filled))
        if point.is_struck:
            parts.append(f'<path class="cross" d="M{x - 8:.1f} {y - 8:.1f}l16 16m0 -16l-16 16"/>')
    return _frame("".join(parts), title, x_title, y_title, (_LEFT + right) / 2)


def curves(lines: Sequence[Line], title: str, y_title: str) -> str:
    """Return curves over epochs, each with its label where it ends; nothing where there is no curve."""
    if not lines:
        return ""
    right = 285
    xs = axis.epochs(max(len(line.values) for line in lines), _LEFT, right)
    ys = axis.linear([value for line in lines for value in line.values], _BOTTOM, _TOP)
    labels = axis.spread([ys.place(line.values[-1]) for line in lines], _GAP, _TOP, _BOTTOM)
    parts = [_grid(xs, ys)]
    for line, y_label in zip(lines, labels, strict=True):
        corners = [(xs.place(epoch), ys.place(value)) for epoch, value in enumerate(line.values, start=1)]
        dashes = ' stroke-dasharray="4 3"' if line.is_dashed else ""
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        parts.append(f'<polyline class="s{line.place}" points="{points}"{dashes}/>')
        x, y = corners[-1]
        parts.append(f'<circle class="s{line.place}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
        parts.append(f'<path class="leader" d="M{x + 4:.1f} {y:.1f}L{right + 12} {y_label:.1f}"/>')
        parts.append(_label(right + 15, y_label, line.label, f"t{line.place}"))
    return _frame("".join(parts), title, "epoch", y_title, (_LEFT + right) / 2)


def mark(place: int, x: float, y: float, *, is_filled: bool = True) -> str:
    """Return one mark; its shape tells what its colour tells."""
    shape = SHAPES[place % len(SHAPES)]
    classes = f"s{place}{'' if is_filled else ' hollow'}"
    if shape == "circle":
        return f'<circle class="{classes}" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in _CORNERS[shape])
    return f'<polygon class="{classes}" points="{points}"/>'


def key(place: int, *, is_filled: bool = True) -> str:
    """Return a mark as the legend shows it."""
    return f'<svg class="key" viewBox="0 0 16 16" aria-hidden="true">{mark(place, 8, 8, is_filled=is_filled)}</svg>'


def _grid(xs: Axis, ys: Axis) -> str:
    parts = []
    for tick in ys.ticks:
        y = ys.place(tick)
        parts.append(f'<path class="grid" d="M{xs.start} {y:.1f}H{xs.end}"/>')
        parts.append(f'<text x="{xs.start - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in xs.ticks:
        x = xs.place(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {ys.start}V{ys.end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{_number(tick)}</text>')
    return "".join(parts)


def _label(x: float, y: float, text: str, classes: str) -> str:
    return f'<text class="label {classes}" x="{x}" y="{y + 4:.1f}">{escape(visible(text))}</text>'


def _frame(content: str, title: str, x_title: str, y_title: str, middle: float) -> str:
    name = escape(visible(title))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}"><title>{name}</title>{content}'
        f'<text x="{middle}" y="{_BOTTOM + 38}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(11 {(_TOP + _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}'
        "</text></svg>"
    )


def _number(value: float) -> str:
    return f"{value:.4g}"
