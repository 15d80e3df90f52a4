"""SVG text that follows the page's colours: marks, grids, labels, and the frame that names a drawing for who listens.

Drawn for a width of 400: a phone shows a chart almost as it is, a wide screen three side by side. Not aware of what is
drawn. Written here and not by matplotlib: its drawings carry fixed colours, so that one page could not be light and
dark, name nothing for a screen reader, and would cost everybody who reads a record 50 MB of packages.
"""

from collections.abc import Callable
from html import escape
from typing import Any

from isoform.stages.report.axis import Axis
from isoform.stages.report.text import shortened, visible

WIDTH = 400
_SHAPES = {
    "circle": None,
    "square": [(-5, -5), (5, -5), (5, 5), (-5, 5)],
    "triangle": [(0, -6), (6, 5), (-6, 5)],
    "diamond": [(0, -7), (7, 0), (0, 7), (-7, 0)],
    "fallen": [(0, 6), (6, -5), (-6, -5)],
    "pentagon": [(0, -6.5), (6.2, -2), (3.8, 5.3), (-3.8, 5.3), (-6.2, -2)],
    "bar": [(-3, -7), (3, -7), (3, 7), (-3, 7)],
    "plank": [(-7, -3), (7, -3), (7, 3), (-7, 3)],
}
SHAPES = tuple(_SHAPES)

Show = Callable[[float], str]


def frame(name: str, content: str, height: float, title: str, description: str) -> str:
    """Return a whole drawing; ``name`` is unique within the page."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {_n(height)}" role="img" aria-labelledby="{name}-title" '
        f'aria-describedby="{name}-desc"><title id="{name}-title">{_text(title)}</title>'
        f'<desc id="{name}-desc">{_text(description)}</desc>{content}</svg>'
    )


def label(x: float, y: float, content: str, classes: str = "label", anchor: str = "start", most: int = 60) -> str:
    """Return text whose baseline is at ``y``, cut to ``most`` characters."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{classes}" x="{_n(x)}" y="{_n(y)}"{where}>{_text(shortened(content, most))}</text>'


def turned(x: float, y: float, content: str) -> str:
    """Return the title of a vertical axis, read from below."""
    return f'<text transform="translate({_n(x)} {_n(y)}) rotate(-90)" text-anchor="middle">{_text(content)}</text>'


def path(classes: str, commands: str) -> str:
    return f'<path class="{classes}" d="{commands}"/>'


def polyline(classes: str, corners: list[tuple[float, float]], dashes: str = "") -> str:
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline class="{classes}" points="{points}"{dashed}/>'


def mark(place: int, x: float, y: float, *, is_filled: bool = True) -> str:
    """Return one mark; its shape tells what its colour tells."""
    place %= len(SHAPES)
    corners = _SHAPES[SHAPES[place]]
    classes = f"s{place}{'' if is_filled else ' hollow'}"
    if corners is None:
        return f'<circle class="{classes}" cx="{_n(x)}" cy="{_n(y)}" r="5.5"/>'
    points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in corners)
    return f'<polygon class="{classes}" points="{points}"/>'


def cross(x: float, y: float) -> str:
    """Return what strikes a mark out."""
    return path("cross", f"M{_n(x - 8)} {_n(y - 8)}l16 16m0 -16l-16 16")


def key(place: int, *, is_filled: bool = True) -> str:
    """Return a mark as a line of text shows it."""
    return f'<svg class="key" viewBox="0 0 16 16" aria-hidden="true">{mark(place, 8, 8, is_filled=is_filled)}</svg>'


def across(xs: Axis, top: float, bottom: float, show: Show, title: str = "") -> str:
    """Return a horizontal axis: a line up from each tick, its value below, and the title below that."""
    parts = []
    for tick in xs.ticks:
        x = xs.place(tick)
        parts.append(path("grid", f"M{_n(x)} {_n(bottom)}V{_n(top)}"))
        parts.append(label(x, bottom + 16, show(tick), "tick", "middle"))
    if title:
        parts.append(label((xs.start + xs.end) / 2, bottom + 33, title, "tick", "middle", 90))
    return "".join(parts)


def up(ys: Axis, left: float, right: float, show: Show, title: str = "") -> str:
    """Return a vertical axis: a line from each tick to the right, its value on the left."""
    parts = []
    for tick in ys.ticks:
        y = ys.place(tick)
        parts.append(path("grid", f"M{_n(left)} {_n(y)}H{_n(right)}"))
        parts.append(label(left - 6, y + 4, show(tick), "tick", "end"))
    if title:
        parts.append(turned(10, (ys.start + ys.end) / 2, title))
    return "".join(parts)


def _n(value: float) -> str:
    """Return a coordinate to a tenth, without a needless zero."""
    return f"{value:.1f}".removesuffix(".0")


def _text(content: Any) -> str:
    return escape(visible(content))
