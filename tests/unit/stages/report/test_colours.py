"""Contrast of the page's colours, computed from the style sheet as WCAG 2 defines it."""

import itertools
import re
from pathlib import Path

import pytest

from isoform.stages import report

STYLE = (Path(report.__file__).parent / "style.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
)
VERDICTS = ("pass", "warn", "fail", "none", "odd")
TEXTS = ("text", "soft", "link", "fail", "warn", *(f"s{place}" for place in range(8)))


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known grey that just fails


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_all_text_can_be_read(colours: dict[str, str]) -> None:
    pairs = [
        *((text, back) for text in TEXTS for back in ("page",)),
        *(("text", "wash"), ("soft", "wash")),
        *((word, f"{word}-back") for word in VERDICTS),
    ]  # fmt: skip
    assert {pair: found for pair in pairs if (found := contrast(colours[pair[0]], colours[pair[1]])) < 4.5} == {}


def test_dark_names_every_colour_that_light_names() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_no_rule_writes_a_colour_of_its_own() -> None:
    assert re.findall(r"#[0-9a-f]{3,6}\b", STYLE.split("* { box-sizing")[1]) == []


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_no_two_formats_have_one_colour(colours: dict[str, str]) -> None:
    assert all(colours[f"s{a}"] != colours[f"s{b}"] for a, b in itertools.combinations(range(8), 2))
