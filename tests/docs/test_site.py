"""The site builds without a warning and needs nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.listing import PAGES

ROOT = PAGES.parent
_FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site is built with `make docs`, whose packages are not installed")
    pytest.importorskip("material", reason="the site is built with `make docs`, whose packages are not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    for page in PAGES.rglob("*.md"):
        name = "index.html" if page.name in ("README.md", "index.md") else f"{page.stem}.html"
        assert (site / page.relative_to(PAGES).parent / name).is_file(), page


def test_no_page_fetches_anything_from_another_machine(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert _FETCHED.findall(page.read_text(encoding="utf-8")) == [], page


def test_generated_parts_have_taken_the_place_of_their_marks(site: Path) -> None:
    assert "--update-lock" in (site / "reference" / "command-line.html").read_text()
    assert "The source is … already." in (site / "troubleshooting.html").read_text()
    assert "io_layout" in (site / "reference" / "python.html").read_text()
