"""A page is run as a reader would; one that says what is not so is found out."""

from pathlib import Path

import pytest

from docs.page import Disagreement, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def page(folder: Path, text: str) -> Path:
    file = folder.parent / "page.md"
    file.write_text(text.replace("~~~", "```"))
    return file


def test_files_are_written_and_commands_run_where_they_stand(folder: Path) -> None:
    text = """
~~~text title="sub/words.txt"
one
two
~~~

~~~console
$ wc -l < sub/words.txt
2
$ touch made
~~~

~~~python
from pathlib import Path

assert Path("made").exists()
~~~
"""
    run(page(folder, text), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["made", "sub"]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("~~~console\n$ false\n~~~", r"page.md:2: false\nended with exit code 1"),
        ("~~~console\n$ echo two\none\n~~~", r"page.md:2: echo two\nprints something else:\n(.|\n)*-one\n\+two"),
        ("~~~console\n$ echo unasked >&2\n~~~", r"prints something else"),
        ("~~~sh\nfalse\ntrue\n~~~", r"ended with exit code 1"),
        ("~~~python\nraise SystemExit(3)\n~~~", r"ended with exit code 3"),
        ("~~~\n$ forgotten\n~~~", r"page.md:2: nothing runs a block of ''"),
    ],
)
def test_a_page_that_is_wrong_fails(folder: Path, block: str, message: str) -> None:
    with pytest.raises(Disagreement, match=message):
        run(page(folder, block), folder)


def test_a_failure_that_is_announced_passes(folder: Path) -> None:
    run(page(folder, "~~~console\n$ ls nowhere 2> /dev/null || false\n$ echo $?\n1\n~~~"), folder)


def test_what_is_only_for_reading_or_another_place_is_not_run(folder: Path) -> None:
    run(page(folder, "~~~text\nError: no\n~~~\n~~~shell\npip install something\n~~~"), folder)
    assert list(folder.iterdir()) == []


def test_the_command_of_a_page_is_this_environments(folder: Path) -> None:
    run(page(folder, "~~~console\n$ isoform --version\nisoform, version ...\n~~~"), folder)
