"""The command line reference has every command and every option, as click tells them."""

import click
import pytest
from hooks import command_line

from isoform import cli


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_usage_and_options(name: str) -> None:
    text = command_line.reference()
    assert f"## isoform {name}\n" in text
    section = text.split(f"## isoform {name}\n")[1].split("\n## ")[0]
    command = cli.group.get_command(click.Context(cli.group), name)
    assert command is not None
    for parameter in command.params:
        for flag in parameter.opts:
            assert not flag.startswith("-") or flag in section


def test_what_looks_like_markup_in_help_stays_text() -> None:
    assert "OUT/&lt;model&gt;/&lt;framework&gt;/training/" in command_line.reference()


def test_the_reference_takes_the_place_of_the_mark_and_nothing_else() -> None:
    page = command_line.on_page_markdown(f"before\n{command_line.MARK}\nafter")
    assert page.startswith("before\n## isoform\n")
    assert page.endswith("\nafter")
    assert command_line.on_page_markdown("as it was") == "as it was"
