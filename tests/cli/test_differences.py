"""What ``verify --explain`` shows where a file cannot be asked: why, and never that no operator differs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from isoform.cli import differences
from isoform.core.divergence import Explanation
from isoform.core.verification import Verification
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.stages import explain


class Display:
    """Keeps what is printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.console = SimpleNamespace(print=self.lines.append)

    def step(self, *words: str) -> None:
        pass

    def settle(self, *, is_told: bool) -> None:
        pass


def shown(monkeypatch: pytest.MonkeyPatch, error: IsoformError) -> tuple[Explanation, list[str]]:
    def refuse(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(explain, "require", lambda: None)
    monkeypatch.setattr(explain, "explain", refuse)
    display = Display()
    found = differences.explained(display, Verification(Path("m.pt2"), (), 1, {}), None, None, None, Path("kept"))
    return found, display.lines


@pytest.mark.parametrize(
    "error",
    [
        IsoformError("'Odd' (node n, opset 18): no onnx form here.", "See it."),
        MissingDependency.of("onnx2torch", "it", "torch"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_explained(monkeypatch: pytest.MonkeyPatch, error: IsoformError) -> None:
    found, lines = shown(monkeypatch, error)
    assert lines == [f"    not explained: {error.what}"]
    assert found.to_json() | {"path": ""} == {
        "path": "", "reference": "", "divergence": None, "notes": [], "asked": [], "obstacles": [error.what],
    }  # fmt: skip


def test_a_wrong_use_of_the_command_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no cases"):
        shown(monkeypatch, UsageError("there are no cases", "Name them."))
