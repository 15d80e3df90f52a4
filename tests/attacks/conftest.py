"""One pool of warm children for all attacks: starting a framework for each would take minutes."""

from collections.abc import Iterator

import pytest

from isoform.isolation import Limits, Pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("logs"), Limits(6 << 30, timeout_s=60)) as pool:
        yield pool
