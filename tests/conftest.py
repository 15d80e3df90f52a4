"""What holds for every test: one draws the same numbers, in whatever order the tests of its module run."""

from typing import Any

import numpy as np
import pytest

_FIRST = pytest.StashKey[dict[str, Any]]()


@pytest.fixture(autouse=True)
def begin_with_the_same_numbers(request: pytest.FixtureRequest) -> None:
    """Put a module's ``RNG`` back to where its import left it."""
    generator = getattr(request.module, "RNG", None)
    if isinstance(generator, np.random.Generator):
        first = request.config.stash.setdefault(_FIRST, {})
        generator.bit_generator.state = first.setdefault(request.module.__name__, generator.bit_generator.state)
