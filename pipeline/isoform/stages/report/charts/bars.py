"""Stacked bars of shares that make up a whole, and ratios with their intervals: one row each, its name above."""

from collections.abc import Sequence
from dataclasses import dataclass

from isoform.stages.report import axis, svg
from isoform.stages.report.text import share_text

LEFT, RIGHT, TOP, ROW, THICK = 10, svg.WIDTH - 10, 6, 42, 14


@dataclass(frozen=True)
class Part:
    """One piece of a bar; ``share`` is of the whole, ``place`` its colour and hatching."""

    label: str
    share: float
    place: int


@dataclass(frozen=True)
class Ratio:
    """A ratio with the interval it lies in, and the word that may be said of it."""

    label: str
    ratio: float
    interval: tuple[float, float]
    word: str
    place: int


def shares(name: str, rows: Sequence[tuple[str, Sequence[Part]]], title: str, description: str) -> str:
    """Return a bar from nothing to the whole for each row; each part says its share where there is room for it."""
    height = TOP + ROW * len(rows)
    parts = []
    for index, (label, pieces) in enumerate(rows):
        top = TOP + index * ROW
        parts.append(svg.label(LEFT, top + 12, label, most=30))
        told = ", ".join(f"{piece.label} {share_text(piece.share)}" for piece in pieces if piece.share)
        parts.append(svg.label(RIGHT, top + 12, told, "tick", "end", most=44 - min(len(label), 30) + 18))
        parts += _bar(pieces, top + 18)
    return svg.frame(name, "".join(parts), height, title, description)


def ratios(
    name: str, rows: Sequence[Ratio], threshold: float, title: str, description: str, axis_title: str
) -> str:  # fmt: skip
    """Return each ratio over a logarithmic axis, 1 marked, with the band in which two are called the same."""
    bottom = TOP + 36 * len(rows) + 4
    ends = [end for row in rows for end in (row.ratio, *row.interval)]
    xs = axis.logarithmic([*ends, 1 + threshold, 1 / (1 + threshold)], LEFT, RIGHT, at_least=1.3, margin=1.03)
    low, high = xs.place(1 / (1 + threshold)), xs.place(1 + threshold)
    parts = [
        f'<rect class="band" x="{low:.1f}" y="{TOP}" width="{high - low:.1f}" height="{bottom - TOP}"/>',
        svg.across(xs, TOP, bottom, lambda tick: f"× {tick:.3g}", axis_title),
        svg.path("half", f"M{xs.place(1):.1f} {TOP}V{bottom}"),
    ]
    for index, row in enumerate(rows):
        top = TOP + index * 36
        told = f"{row.word}  × {row.ratio:.3f}"
        parts.append(svg.label(LEFT, top + 12, row.label, most=62 - len(told)))
        parts.append(svg.label(RIGHT, top + 12, told, "tick", "end"))
        from_x, to_x = (xs.place(end) for end in row.interval)
        parts.append(svg.path(f"s{row.place} thick", f"M{from_x:.1f} {top + 25}H{to_x:.1f}"))
        parts.append(svg.mark(row.place, xs.place(row.ratio), top + 25))
    return svg.frame(name, "".join(parts), bottom + 40, title, description)


def _bar(pieces: Sequence[Part], top: float) -> list[str]:
    """Return the pieces from left to right, parted by a gap; the second and later ones are hatched as well."""
    parts, x = [], float(LEFT)
    for piece in pieces:
        width = piece.share * (RIGHT - LEFT)
        if width > 0:
            drawn = max(width - 1.5, 0.5)
            parts.append(
                f'<rect class="s{piece.place}" x="{x:.1f}" y="{top}" width="{drawn:.1f}" height="{THICK}" rx="2"/>'
            )
            if piece.place:
                strokes = range(int(x) + 3, int(x + drawn) - 2, 4 + 4 * (piece.place % 3))
                parts.append(svg.path("hatch", "".join(f"M{left} {top + THICK}l4 -{THICK}" for left in strokes)))
        x += width
    return parts
