"""One page as a test: its folder is prepared, then the page is run in it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from docs.listing import PAGES, front_matter
from docs.page import run
from docs.samples import SAMPLES


def follow(name: str, folder: Path) -> None:
    """Do what the page ``name`` says, or skip where a package that it requires is not installed."""
    page = PAGES / name
    needs = front_matter(page)
    missing = [module for module in needs.get("requires", []) if find_spec(module) is None]
    if missing:
        pytest.skip(f"{name} is about {', '.join(missing)}, which is not installed")
    for file in needs.get("prepared", []):
        SAMPLES[file](folder / file)
    run(page, folder)
