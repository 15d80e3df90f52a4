"""Help of commands with many options: by what they are about, each option once, never wider than the terminal."""

import os
import re

import pytest

from isoform.cli import group


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        (
            "convert",
            ["What the source is:", "What is written:", "How, and how it is proved:", "Many at once:", "Options:"],
        ),
        ("train", ["How long, and how fast:", "Which epoch counts:", "How it is computed:", "Options:"]),
        ("verify", ["What is judged:", "Where it differs:", "What others proved:", "In CI:", "Options:"]),
    ],
)
def test_options_stand_in_sections_each_once(answer, name: str, sections: list[str]) -> None:
    text = answer(name, "--help").out
    found = re.findall(r"^(\S.*:)$", text, re.MULTILINE)
    assert found == sections
    command = group.get_command(None, name)  # type: ignore[arg-type]
    options = [row.opts[-1] for row in command.params if row.opts[-1].startswith("--")]
    before_examples = text.partition("  Examples:")[0]
    for option in [*options, "--help"]:
        assert len(re.findall(rf"^  (?:-\w, )?{option}\b(?!-)", before_examples, re.MULTILINE)) == 1, option


@pytest.mark.parametrize("width", [50, 80])
def test_options_wrap_at_the_width_of_the_terminal(answer, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback=None: os.terminal_size((width, 24)))
    text = answer("convert", "--help").out.partition("  Examples:")[0]
    assert max(map(len, text.splitlines())) <= width


def test_the_examples_of_convert_are_commands_that_it_understands(answer) -> None:
    text = answer("convert", "--help").out.partition("  Examples:")[2].partition("Exit codes")[0]
    commands = [line.split("   ")[0].split() for line in text.strip().splitlines()]
    assert len(commands) == 11
    for words in commands:
        told = answer(*[word.strip("'") for word in words[1:]])
        assert "has no option" not in told.err
        assert "Internal error" not in told.err
        assert told.code == 2, told.err  # there is no such file here, and that is all that is wrong
