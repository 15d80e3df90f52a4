"""What a terminal, a file and a narrow or colourless terminal show of the same steps."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from isoform.cli import console
from isoform.cli.console import Display, printable, readable_size


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the clock of the display; the list holds the time."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def shown(monkeypatch: pytest.MonkeyPatch, **options: object) -> io.StringIO:
    """Give displays a console that writes into what is returned."""
    written = io.StringIO()

    def make(**given: object) -> Console:
        return Console(file=written, **{**given, "stderr": False, **options})

    monkeypatch.setattr(console, "Console", make)
    return written


def test_in_a_file_a_step_is_a_line_when_it_begins(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    written = shown(monkeypatch)
    with Display(subject_width=8) as display:
        display.step("source", "opening x")
        seconds[0] = 2.5
        display.step("onnx", "converting")
        assert written.getvalue() == "   0.0 s  source   opening x\n   2.5 s  onnx     converting\n"
        seconds[0] = 3
        display.line("onnx", "done")
    assert written.getvalue().endswith("   3.0 s  onnx     done\n")


def test_on_a_terminal_a_step_is_a_line_when_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    written = shown(monkeypatch, force_terminal=True, width=80)
    with Display(subject_width=8) as display:
        display.step("source", "opening x")
        seconds[0] = 2.5
        display.step("onnx", "converting")
        seconds[0] = 4
        assert "   2.5 s  source   opening x" in written.getvalue()
        assert "   1.5 s" not in written.getvalue()
    assert "   1.5 s  onnx     converting" in written.getvalue()


def test_what_another_thread_was_at_is_told_when_the_display_ends(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    written = shown(monkeypatch, force_terminal=True, width=80)
    with Display(subject_width=8) as display:
        with ThreadPoolExecutor(1) as other:
            other.submit(display.step, "tflite", "verifying").result()
        seconds[0] = 3
    assert "   3.0 s  tflite   verifying" in written.getvalue()


def test_a_line_takes_the_place_of_its_step(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    written = shown(monkeypatch, force_terminal=True, width=80)
    with Display(subject_width=8) as display:
        display.step("a/onnx", "measuring")
        seconds[0] = 1
        display.line("a/onnx", "measured")
    assert "   1.0 s  a/onnx   measured" in written.getvalue()
    assert "s  a/onnx   measuring" not in written.getvalue()


def test_a_training_tells_some_of_its_epochs(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    written = shown(monkeypatch)
    with Display(subject_width=8) as display:
        display.step("mlp", "training")
        for epoch in range(1, 13):
            display.training("mlp", {"epoch": epoch, "epochs": 12, "step": 5, "steps": 5, "loss": 0.25})
            display.training("mlp", {"epoch": epoch, "epochs": 12, "test_accuracy": 0.5})
    assert written.getvalue().splitlines()[1:] == [
        f"   0.0 s  mlp      epoch {epoch}/12  test_accuracy 0.5000" for epoch in range(2, 13, 2)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_sign_is_one_that_the_terminal_has(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(console, "Console", lambda **given: Console(file=file, force_terminal=True))
    display = Display()
    assert display.sign("PASS")[0] == ("✔" if encoding == "utf-8" else "+")
    assert display.sign("never heard of")[0] == "!"


def test_no_two_verdicts_share_a_sign() -> None:
    for place in (0, 1):
        signs = [row[place] for row in console._SIGNS.values()]
        assert len(set(signs)) == len(signs)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (44_700_000, "44.7 MB"), (2_050_000_000, "2.05 GB")]
)
def test_a_size_has_three_digits(size: int, text: str) -> None:
    assert readable_size(size) == text


def test_what_a_stranger_named_stays_on_one_line() -> None:
    assert printable("a\x1b[31m\nb") == "a\\x1b[31m\\x0ab"
