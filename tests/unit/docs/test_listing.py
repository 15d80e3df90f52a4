"""What a page needs is read from its first lines, and every page belongs to one run."""

from pathlib import Path

import pytest

from docs.listing import TENSORFLOW, TORCH, front_matter, pages
from docs.session import follow


def test_words_before_the_page_say_what_it_needs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("---\nprepared: model.onnx\nrequires: timm torch\n---\n# Title\n\nkey: no\n")
    assert front_matter(page) == {"prepared": ["model.onnx"], "requires": ["timm", "torch"]}


def test_a_page_that_begins_with_its_title_needs_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n---\nprepared: model.onnx\n---\n")
    assert front_matter(page) == {}


def test_pages_that_are_named_for_a_framework_exist_and_belong_to_one() -> None:
    assert set(pages()) >= TORCH | TENSORFLOW
    assert not TORCH & TENSORFLOW


def test_a_page_about_what_is_not_installed_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.md").write_text("---\nrequires: no_such_module\n---\n```python\nraise SystemExit(1)\n```\n")
    monkeypatch.setattr("docs.session.PAGES", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"^page\.md is about no_such_module, which is not installed$"):
        follow("page.md", tmp_path)
