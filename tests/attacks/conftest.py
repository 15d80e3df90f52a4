"""One pool of warm children for all attacks: starting a framework for each would take minutes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.command import lent
from isoform.isolation import Limits, Pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("logs"), Limits(6 << 30, timeout_s=60)) as pool:
        yield pool


@pytest.fixture
def warm(pool: Pool) -> Iterator[None]:
    """The warm children serve the command line as well."""
    with lent(pool):
        yield


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all code of users, as a child is kept warm for each."""
    return tmp_path_factory.mktemp("repository")
