"""What click finds wrong with a command line, in the words of every other error: what, and one thing to do."""

from typing import Any

import click

from isoform.core import spelling
from isoform.errors import UsageError


def told(error: click.UsageError) -> UsageError:
    """Return the same mistake as ours: a near match where a word is mistyped, else where the help is."""
    path = error.ctx.command_path if error.ctx is not None else "isoform"
    help_hint = f"See: {path} --help"
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        near = spelling.nearest(error.option_name, _options(error.ctx))
        what = f"{path} has no option '{error.option_name}'."
        return UsageError(what, f"Did you mean '{near}'? {help_hint}" if near else help_hint)
    return UsageError(error.format_message(), help_hint)


def _options(context: click.Context) -> list[str]:
    parameters = context.command.get_params(context)
    return [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts) if name[0] == "-"]


class Counts(click.ParamType[tuple[int, ...]]):
    """Whole numbers from one on, separated by commas, each once: a tuple in the order they were given."""

    name = "counts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",")]
        if not all(word.isascii() and word.isdigit() and int(word) for word in words):
            option = param.opts[0] if param is not None else "value"
            raise UsageError(f"{option}: '{value}' is no whole number from one on.", f"For example: {option} 1,8,32")
        return tuple(dict.fromkeys(map(int, words)))


class Word(click.Choice[str]):
    """One of a few words; another one is answered with the word that is near."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            option = param.opts[0] if param is not None else "value"
            raise UsageError(f"{option}: there is no '{value}'.", spelling.hint(value, self.choices))
        return value
