"""Pages that make no model in PyTorch or TensorFlow; those of the two stand in files of their own."""

from pathlib import Path

import pytest

from docs.listing import TENSORFLOW, TORCH, pages
from docs.session import follow


@pytest.mark.parametrize("name", sorted(set(pages()) - TORCH - TENSORFLOW))
def test_what_the_page_says_is_so(name: str, tmp_path: Path) -> None:
    follow(name, tmp_path)
