"""Points over two axes, each joined to its label in a column on the right; fronts, ceilings and quadrants."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from isoform.stages.report import axis, svg
from isoform.stages.report.axis import Axis

LEFT, RIGHT, TOP = 58, 218, 12
_HEIGHT, _GAP, _MOST_CHARACTERS = 240, 16, 26
MOST_LABELS = 40


@dataclass(frozen=True)
class Point:
    """One mark.

    Attributes:
        place: colour and shape, counted from 0.
        is_struck: crossed out, mark and label: it failed.
        across, up: the interval along either axis.
        is_strong: its label stands out: it is on the front.
    """

    x: float
    y: float
    place: int
    label: str
    is_struck: bool = False
    across: tuple[float, float] | None = None
    up: tuple[float, float] | None = None
    is_strong: bool = False


@dataclass(frozen=True)
class Scale:
    """What an axis says: its title, and how it writes a value.

    Attributes:
        is_linear: logarithmic otherwise.
        margin: by which part of what it spans a logarithmic axis reaches further on either side, if that is more than
            usual: room for what is written there.
    """

    title: str
    show: svg.Show
    is_linear: bool = False
    margin: float = 0.0

    def axis(self, values: Sequence[float], start: float, end: float) -> Axis:
        """Return the axis around ``values``."""
        if self.is_linear:
            return axis.linear(values, start, end)
        return axis.logarithmic(values, start, end, margin=max(1.25, (max(values) / min(values)) ** self.margin))


@dataclass(frozen=True)
class Ground:
    """What is drawn below the points, in the coordinates of the axes.

    Attributes:
        lines: (class, corners): fronts and ceilings.
        remarks: (x, y, text): what a line says of itself, its text ending there.
        halves: where the plane is parted into quadrants, and what each is called, from the upper left in reading order.
    """

    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]] = ()
    remarks: Sequence[tuple[float, float, str]] = ()
    halves: tuple[float, float] | None = None
    quadrants: Sequence[str] = field(default=())


def scatter(
    name: str, points: Sequence[Point], x_scale: Scale, y_scale: Scale, title: str, description: str,
    ground: Ground | None = None,
) -> str:  # fmt: skip
    """Return the drawing; of more than `MOST_LABELS` points the first ones have labels."""
    ground = ground or Ground()
    labelled = points[:MOST_LABELS]
    bottom = max(_HEIGHT, TOP + _GAP * len(labelled))
    corners = [corner for _, line in ground.lines for corner in line]
    widths = [end for point in points for end in (point.x, *(point.across or ()))] + [x for x, _ in corners]
    heights = [end for point in points for end in (point.y, *(point.up or ()))] + [y for _, y in corners]
    xs, ys = x_scale.axis(widths, LEFT, RIGHT), y_scale.axis(heights, bottom, TOP)
    parts = [svg.across(xs, TOP, bottom, x_scale.show, x_scale.title), svg.up(ys, LEFT, RIGHT, y_scale.show)]
    parts.append(svg.turned(10, (TOP + bottom) / 2, y_scale.title))
    parts += _halves(xs, ys, ground)
    parts += [svg.polyline(kind, [(xs.place(x), ys.place(y)) for x, y in line]) for kind, line in ground.lines]
    parts += [
        svg.label(xs.place(x), ys.place(y) - 5, remark, "remark", "end", most=30) for x, y, remark in ground.remarks
    ]
    parts += _labels(xs, ys, labelled, bottom)
    parts += [part for point in reversed(points) for part in _drawn(xs, ys, point)]
    return svg.frame(name, "".join(parts), bottom + 40, title, description)


def _halves(xs: Axis, ys: Axis, ground: Ground) -> list[str]:
    if ground.halves is None:
        return []
    x, y = xs.place(ground.halves[0]), ys.place(ground.halves[1])
    high, low = float(TOP + 11), ys.start - 6
    places = [(LEFT + 4, high, "start"), (RIGHT - 4, high, "end"), (LEFT + 4, low, "start"), (RIGHT - 4, low, "end")]
    return [svg.path("half", f"M{x:.1f} {TOP}V{ys.start:g}M{LEFT} {y:.1f}H{RIGHT}")] + [
        svg.label(left, top, text, "quadrant", anchor)
        for (left, top, anchor), text in zip(places, ground.quadrants, strict=True)
    ]


def _labels(xs: Axis, ys: Axis, points: Sequence[Point], bottom: float) -> list[str]:
    heights = axis.spread([ys.place(point.y) for point in points], _GAP, TOP + 4, bottom + 8)
    parts = []
    for point, height in zip(points, heights, strict=True):
        x, y = xs.place(point.x), ys.place(point.y)
        parts.append(svg.path("leader", f"M{x + 8:.1f} {y:.1f}L{RIGHT + 4} {y:.1f}L{RIGHT + 14} {height:.1f}"))
        classes = f"label{' struck' * point.is_struck}{' strong' * point.is_strong}"
        parts.append(
            svg.label(RIGHT + 17, height + 4, point.label, classes, most=_MOST_CHARACTERS - 4 * point.is_strong)
        )
    return parts


def _drawn(xs: Axis, ys: Axis, point: Point) -> list[str]:
    x, y = xs.place(point.x), ys.place(point.y)
    parts = []
    if point.up is not None:
        low, high = (ys.place(value) for value in point.up)
        parts.append(svg.path(f"s{point.place} thick", f"M{x:.1f} {low:.1f}V{high:.1f}"))
    if point.across is not None:
        low, high = (xs.place(value) for value in point.across)
        parts.append(svg.path(f"s{point.place} thick", f"M{low:.1f} {y:.1f}H{high:.1f}"))
    parts.append(svg.mark(point.place, x, y, is_filled=not point.is_struck))
    if point.is_struck:
        parts.append(svg.cross(x, y))
    return parts
