"""Drawings, against geometry worked out by hand."""

import re

import pytest

from isoform.stages.report import axis, svg
from isoform.stages.report.charts import bars, strips
from isoform.stages.report.charts.curves import Line, over_epochs
from isoform.stages.report.charts.scatter import Ground, Point, Scale, scatter
from isoform.stages.report.depth import Ceiling
from isoform.stages.report.sections.roofline import roof

PLAIN = Scale("x", lambda value: f"{value:g}")


def test_a_scatter_chart_labels_every_point_and_strikes_out_what_failed() -> None:
    points = [Point(1.0, 0.1, 0, "a & b"), Point(1.1, 0.1, 1, "c", is_struck=True, up=(0.09, 0.2))]
    drawing = scatter("n", points, PLAIN, PLAIN, "title <x>", "what <it> shows")
    assert ">a &amp; b</text>" in drawing
    assert 'class="label struck"' in drawing
    assert drawing.count('class="cross"') == 1
    assert '<title id="n-title">title &lt;x&gt;</title><desc id="n-desc">what &lt;it&gt; shows</desc>' in drawing


def test_labels_of_points_in_one_place_do_not_overlap() -> None:
    placed = axis.spread([100.0, 100.0, 101.0, 240.0], 17, 0, 250)
    assert all(abs(a - b) >= 17 for i, a in enumerate(placed) for b in placed[:i])
    assert max(placed) <= 250


def test_labels_keep_the_order_of_what_they_name() -> None:
    assert axis.spread([50.0, 10.0, 30.0], 5, 0, 100) == [50.0, 10.0, 30.0]
    assert axis.spread([99.0, 98.0], 10, 0, 100) == [100.0, 90.0]


@pytest.mark.parametrize("values", [[0.205, 0.225], [3.0], [1e-3, 5e4], [67.4, 67.5], [1e-9, 1e12]])
def test_axes_hold_all_values_and_write_two_to_six_of_them(values: list[float]) -> None:
    scale = axis.logarithmic(values, 0, 100)
    assert all(0 < scale.place(value) < 100 for value in values)
    assert 2 <= len(scale.ticks) <= 6
    assert all(0 <= scale.place(tick) <= 100 for tick in scale.ticks)


def test_a_logarithmic_axis_gives_equal_factors_equal_lengths() -> None:
    scale = axis.logarithmic([1.0, 100.0], 0, 100)
    assert scale.place(10) - scale.place(1) == pytest.approx(scale.place(100) - scale.place(10))


def test_a_mark_stands_where_the_axis_says() -> None:
    """Both axes span 1 to 100 with a margin of 1.25: 10 is in the middle of either."""
    points = [Point(1, 1, 0, "a"), Point(10, 10, 0, "b"), Point(100, 100, 0, "c")]
    drawing = scatter("n", points, PLAIN, PLAIN, "t", "d")
    centres = {(float(x), float(y)) for x, y in re.findall(r'<circle class="s0" cx="([\d.]+)" cy="([\d.]+)"', drawing)}
    assert ((58 + 218) / 2, (240 + 12) / 2) in centres


def test_quadrants_are_named_from_the_upper_left_in_reading_order() -> None:
    points = [Point(1, 1, 0, "a"), Point(100, 100, 0, "b")]
    ground = Ground(halves=(10, 10), quadrants=("one", "two", "three", "four"))
    drawing = scatter("n", points, PLAIN, PLAIN, "t", "d", ground)
    found = {word: (float(x), float(y)) for x, y, word in re.findall(
        r'<text class="quadrant" x="([\d.]+)" y="([\d.]+)"[^>]*>(\w+)<', drawing
    )}  # fmt: skip
    assert found["one"][0] == found["three"][0] < 138 < found["two"][0] == found["four"][0]
    assert found["one"][1] == found["two"][1] < 126 < found["three"][1] == found["four"][1]
    assert 'd="M138.0 12V240M58 126.0H218"' in drawing


def test_queries_are_counted_in_equal_parts_of_the_axis_and_those_beyond_in_none() -> None:
    scale = axis.Axis(0.5, 2.0, (), True, 0, strips.BINS)  # one unit a bin; 1 is in the middle
    found = strips.counts(scale, [0.5, 1.0, 1.0, 2.0, 2.5, 0.1])
    assert sum(found) == 4
    assert (found[0], found[strips.BINS // 2], found[-1]) == (1, 2, 1)


def test_a_silhouette_begins_and_ends_at_its_base() -> None:
    scale = axis.Axis(0.5, 2.0, (), True, 0, 2 * strips.BINS)
    heights = [0.0, 0.0, 5.0, 5.0, 0.0, 2.5] + [0.0] * (strips.BINS - 6)
    assert strips.outline(heights, scale, 30) == "M4.0 30v-5.0h2h2v5.0h2v-2.5h2v2.5z"


def test_what_lies_far_beyond_is_told_and_not_drawn() -> None:
    strip = strips.Strip("a", 0, ([100] * 98 + [101, 9000],), 100.0, (100.0, 100.0))
    drawing = strips.spreads("n", [strip], "t", "d")
    assert "1 beyond, as far as × 90" in drawing


def test_a_stacked_bar_is_as_long_as_its_shares() -> None:
    parts = [bars.Part("A", 0.75, 0), bars.Part("B", 0.25, 1)]
    drawing = bars.shares("n", [("x", parts)], "t", "d")
    found = re.findall(r'<rect class="s(\d)" x="([\d.]+)" y="24" width="([\d.]+)"', drawing)
    assert found == [("0", "10.0", "283.5"), ("1", "295.0", "93.5")]  # 380 in all, 1.5 of each are a gap
    assert "A 75.0 %, B 25.0 %" in drawing
    assert drawing.count('class="hatch"') == 1  # the second part differs by more than its colour


def test_a_ratio_of_one_stands_on_the_line_and_within_the_band() -> None:
    row = bars.Ratio("a", 1.0, (0.99, 1.01), "same", 0)
    drawing = bars.ratios("n", [row], 0.03, "t", "d", "after / before")
    mark, line = re.search(r'cx="([\d.]+)"', drawing), re.search(r'class="half" d="M([\d.]+) ', drawing)
    band = re.search(r'class="band" x="([\d.]+)" y="6" width="([\d.]+)"', drawing)
    assert mark is not None
    assert line is not None
    assert band is not None
    assert float(mark[1]) == float(line[1]) == 200
    assert float(band[1]) + float(band[2]) / 2 == pytest.approx(200, abs=0.1)


def test_the_roof_has_its_ridge_where_memory_just_feeds_the_arithmetic() -> None:
    assert roof(Ceiling(100.0, 10.0), [2.0, 40.0]) == [(1.0, 10.0), (10.0, 100.0), (80.0, 100.0)]


def test_curves_survive_one_epoch_and_equal_values() -> None:
    assert "polyline" in over_epochs("n", [Line(0, "torch train", [(1, 0.5)])], "loss by epoch", "loss", "d")
    assert "polyline" in over_epochs("n", [Line(0, "torch train", [(1, 0.5), (2, 0.5)])], "by epoch", "loss", "d")


def test_marks_differ_in_shape_and_not_in_colour_alone() -> None:
    outlines = {re.sub(r"s\d", "", svg.mark(place, 0, 0)) for place in range(len(svg.SHAPES))}
    assert len(outlines) == len(svg.SHAPES)
