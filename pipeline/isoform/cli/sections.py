"""The help of a command with many options: by what they are about, instead of one long list."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Sectioned(click.Command):
    """A command whose help has a section for each group of options; those of no group come last, as ``Options``.

    Args:
        sections: by title, the names of the options as they are typed.
    """

    def __init__(self, *arguments: Any, sections: Mapping[str, Sequence[str]], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        left = {row.opts[-1]: row for row in self.get_params(ctx) if isinstance(row, click.Option)}
        for title, names in self._sections.items():
            _write(title, [left.pop(name) for name in names], ctx, formatter)
        _write("Options", list(left.values()), ctx, formatter)


def _write(
    title: str, parameters: Sequence[click.Parameter], context: click.Context, formatter: click.HelpFormatter
) -> None:
    rows = [row for parameter in parameters if (row := parameter.get_help_record(context)) is not None]
    with formatter.section(title):
        formatter.write_dl(rows)
