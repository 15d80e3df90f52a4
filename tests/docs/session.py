"""One page as a test: its folder is prepared, then the page is run in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs.listing import PAGES, front_matter
from docs.page import run
from docs.samples import SAMPLES


def follow(name: str, folder: Path) -> None:
    """Do what the page ``name`` says, or skip where a package that it requires does not import."""
    page = PAGES / name
    needs = front_matter(page)
    missing = [module for module in needs.get("requires", []) if not _imports(module)]
    if missing:
        pytest.skip(f"{name} is about {', '.join(missing)}, which does not import here")
    for file in needs.get("prepared", []):
        SAMPLES[file](folder / file)
    run(page, folder)


def _imports(module: str) -> bool:
    """Return whether a module can be imported; an installed one may want another build of what it stands on."""
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
