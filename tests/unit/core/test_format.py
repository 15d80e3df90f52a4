"""The table of formats."""

import pytest

from isoform.core.format import FORMATS, lookup
from isoform.errors import UsageError


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        lookup("coreml")
    assert caught.value.hint == f"One of: {', '.join(FORMATS)}."
