"""Every page is run somewhere; those that need neither PyTorch nor TensorFlow at hand are run here."""

from pathlib import Path

import pytest

from docs.listing import TENSORFLOW, TORCH, pages
from docs.session import follow


def test_pages_that_are_named_for_a_framework_exist() -> None:
    assert set(pages()) >= TORCH | TENSORFLOW
    assert not TORCH & TENSORFLOW


@pytest.mark.parametrize("name", sorted(set(pages()) - TORCH - TENSORFLOW))
def test_what_the_page_says_is_so(name: str, tmp_path: Path) -> None:
    follow(name, tmp_path)
