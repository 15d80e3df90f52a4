"""Commands for another place are not run, and cannot name what there is not."""

import pytest

from docs.blocks import blocks
from docs.elsewhere import mistakes
from docs.listing import PAGES, pages


@pytest.mark.parametrize("name", pages())
def test_pages_name_only_extras_and_make_targets_that_there_are(name: str) -> None:
    for block in blocks((PAGES / name).read_text()):
        if block.language == "shell":
            assert mistakes(block.text) == [], f"{name}:{block.line}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("pip install 'isoform[tensorflow,coreml]'", "there is no extra 'coreml'"),
        ("make exports IMAGE_SIZE=224", "there is no target 'exports'"),
        ("curl somewhere", "nothing checks 'curl somewhere'"),
    ],
)
def test_a_wrong_name_is_found(line: str, problem: str) -> None:
    assert mistakes(line) == [problem]


def test_right_names_and_comments_are_none() -> None:
    assert mistakes("pip install 'isoform[all]'  # everything\n\nmake test\nmake zoo FILTER=bert") == []
