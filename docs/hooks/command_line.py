"""The command line reference, written from what click says of each command when the site is built."""

import html
import inspect
from typing import Any

import click

from isoform.cli import group

MARK = "<!-- every command, from its help -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the page with its mark replaced by the reference; mkdocs calls this for every page."""
    return markdown.replace(MARK, reference()) if MARK in markdown else markdown


def reference() -> str:
    """Return a section for the group and one for every command, in the order of ``isoform --help``."""
    root = click.Context(group, info_name="isoform", **group.context_settings)
    parts = [_section(group, root)]
    for name in group.list_commands(root):
        command = group.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root)
        parts.append(_section(command, context))
        for part, inner in (command.commands if isinstance(command, click.Group) else {}).items():
            parts.append(_section(inner, click.Context(inner, info_name=part, parent=context)))
    return "\n\n".join(parts)


def _section(command: click.Command, context: click.Context) -> str:
    usage = f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    parts = [f"## {context.command_path}", usage, _prose(command.help), _options(command, context)]
    if command.epilog:
        parts.append(f"```text\n{inspect.cleandoc(command.epilog).replace(chr(8), '').strip()}\n```")
    return "\n\n".join(part for part in parts if part)


def _prose(text: str | None) -> str:
    """Return help as Markdown; a paragraph that click leaves as it stands becomes a block."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{part.removeprefix(chr(8)).strip()}\n```"
        if part.startswith("\b")
        else html.escape(part, quote=False)
        for part in paragraphs
    )


def _options(command: click.Command, context: click.Context) -> str:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{record[0]}` | {_cell(record[1])} |" for record in records if record and record[1]]
    return "\n".join(["| option | |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|")
