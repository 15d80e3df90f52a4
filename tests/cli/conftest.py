"""A command line run in this process: what it writes and its exit code, in a folder of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from isoform import cli


class Answer(NamedTuple):
    """What a command line came to."""

    out: str
    err: str
    code: int


@pytest.fixture
def answer(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Answer]:
    """Return a function that runs ``isoform`` with these words in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISOFORM_DEBUG", "")

    def run(*words: str) -> Answer:
        monkeypatch.setattr("sys.argv", ["isoform", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capfd.readouterr()
        return Answer(written.out, written.err, int(ended.value.code or 0))

    return run
