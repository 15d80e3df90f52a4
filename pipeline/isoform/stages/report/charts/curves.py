"""Curves, each with its label where it ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from isoform.stages.report import axis, svg
from isoform.stages.report.axis import Axis
from isoform.stages.report.charts.scatter import Scale

LEFT, RIGHT, TOP, BOTTOM = 52, 250, 12, 230
_GAP = 16


@dataclass(frozen=True)
class Line:
    """One curve; ``place`` is its colour, and its shape where ``has_marks``."""

    place: int
    label: str
    corners: Sequence[tuple[float, float]]
    is_dashed: bool = False
    has_marks: bool = False


def over_epochs(name: str, lines: Sequence[Line], title: str, quantity: str, description: str) -> str:
    """Return curves over epochs; corners are (epoch from 1, value)."""
    xs = axis.epochs(max(len(line.corners) for line in lines), LEFT, RIGHT)
    ys = axis.linear([y for line in lines for _, y in line.corners], BOTTOM, TOP)
    return _drawing(name, lines, (xs, ys), Scale("epoch", _plain), Scale(quantity, _plain), title, description)


def over_logarithms(
    name: str, lines: Sequence[Line], x_scale: Scale, y_scale: Scale, title: str, description: str
) -> str:
    """Return curves over two logarithmic axes; what stands below the horizontal one is what was measured."""
    found = sorted({x for line in lines for x, _ in line.corners})
    xs = replace(axis.logarithmic(found, LEFT, RIGHT, margin=1.1), ticks=tuple(found[:: math.ceil(len(found) / 8)]))
    ys = axis.logarithmic([y for line in lines for _, y in line.corners], BOTTOM, TOP)
    return _drawing(name, lines, (xs, ys), x_scale, y_scale, title, description)


def _drawing(
    name: str, lines: Sequence[Line], axes: tuple[Axis, Axis], x_scale: Scale, y_scale: Scale, title: str,
    description: str,
) -> str:  # fmt: skip
    xs, ys = axes
    labels = axis.spread([ys.place(line.corners[-1][1]) for line in lines], _GAP, TOP, BOTTOM)
    parts = [svg.across(xs, TOP, BOTTOM, x_scale.show, x_scale.title), svg.up(ys, LEFT, RIGHT, y_scale.show)]
    parts.append(svg.turned(10, (TOP + BOTTOM) / 2, y_scale.title))
    for line, height in zip(lines, labels, strict=True):
        corners = [(xs.place(x), ys.place(y)) for x, y in line.corners]
        parts.append(svg.polyline(f"s{line.place} curve", corners, "4 3" if line.is_dashed else ""))
        if line.has_marks:
            parts += [svg.mark(line.place, x, y) for x, y in corners]
        x, y = corners[-1]
        parts.append(svg.path("leader", f"M{x + 4:.1f} {y:.1f}L{RIGHT + 10} {height:.1f}"))
        parts.append(svg.label(RIGHT + 13, height + 4, line.label, f"label t{line.place}", most=22))
    return svg.frame(name, "".join(parts), BOTTOM + 40, title, description)


def _plain(value: float) -> str:
    return f"{value:.4g}"
