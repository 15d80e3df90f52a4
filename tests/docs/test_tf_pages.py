"""Pages that make their models in TensorFlow."""

from pathlib import Path

import pytest

from docs.listing import TENSORFLOW
from docs.session import follow


@pytest.mark.parametrize("name", sorted(TENSORFLOW))
def test_what_the_page_says_is_so(name: str, tmp_path: Path) -> None:
    follow(name, tmp_path)
