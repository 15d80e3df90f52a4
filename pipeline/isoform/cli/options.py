"""Options that several commands share, and what they turn into."""

import json
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from isoform.cli.usage import Word
from isoform.core.format import FORMATS
from isoform.core.precision import PRECISIONS
from isoform.core.profiles import PROFILES
from isoform.errors import UsageError
from isoform.registry import CONVERTERS, RUNTIMES, written

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def one_of(words: Iterable[str]) -> Completion:
    """Return what completes one of ``words``, the last one where several are separated by commas."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(begun)]

    return complete


Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout; everything else on stderr."
)
out = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("exports"), show_default=True,
    help="Folder that gets the results.",
)  # fmt: skip
to = click.option(
    "--to", "targets", metavar="FORMAT[,FORMAT...]", shell_complete=one_of(written()),
    help=f"Formats to write, separated by commas: {', '.join(written())}.",
)  # fmt: skip
precision = click.option(
    "--precision", "precisions", metavar="NAME[,NAME...]", shell_complete=one_of(PRECISIONS),
    help=f"What is stored and computed in: {', '.join(PRECISIONS)}; several are written beside each other.",
)  # fmt: skip
profile = click.option(
    "--profile", metavar="NAME", shell_complete=one_of(PROFILES),
    help=f"Hold what is written against a target: {', '.join(PROFILES)}. See: isoform inspect --profile NAME",
)  # fmt: skip
via = click.option(
    "--via", metavar="FORMAT", shell_complete=one_of(FORMATS), help="A format that the route has to pass."
)
avoid = click.option(
    "--avoid", multiple=True, metavar="CONVERTER", shell_complete=one_of(CONVERTERS),
    help="A converter not to use; repeatable. See isoform routes.",
)  # fmt: skip
runtimes = click.option(
    "--runtime", "runtimes", multiple=True, metavar="NAME", shell_complete=one_of(RUNTIMES),
    help="Only on this runtime; repeatable. Default: those of each format.",
)  # fmt: skip
parameter = click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="KEY=VALUE", help="Replace a parameter of the manifest."
)
data = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Folder with the real data set (see README)."
)
framework = click.option(
    "--framework", "frameworks", multiple=True, type=Word(["torch", "keras"]), help="Only this one; repeatable."
)
workers = click.option(
    "--workers", type=click.IntRange(1), default=2, show_default=True, help="How many run side by side."
)
scheduler = click.option(
    "--scheduler", metavar="ADDRESS|local",
    help="Run on a Dask cluster: tcp://HOST:PORT or tls://HOST:PORT, or local for worker processes on this machine.",
)  # fmt: skip
force = click.option("--force", is_flag=True, help="Do it again even where nothing has changed.")
store = click.option(
    "--store", metavar="FOLDER_OR_URL", envvar="ISOFORM_STORE", show_envvar=True,
    help="Reuse results from there, and put new ones there: a folder, or a URL such as s3://bucket/path.",
)  # fmt: skip


def listed(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a comma-separated option, or ``default`` where it is not given."""
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else default


def key_values(pairs: tuple[str, ...], option: str) -> dict[str, Any]:
    """Return ``KEY=VALUE`` options as a mapping; a value that is JSON becomes what it says, else it stays text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"{option} '{pair}' is not KEY=VALUE.", f"For example: {option} image_size=224")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def typed_again(context: click.Context, ending: str, without: tuple[str, ...]) -> str:
    """Return the command line that was typed as a format string, without some options and with an ``ending``."""
    words = context.command_path.split()
    for parameter in context.command.get_params(context):
        name = str(parameter.name)
        if name not in without and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += _words(parameter, context.params[name])
    return f"{shlex.join(words).replace('{', '{{').replace('}', '}}')} {ending}"


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    values = [str(item) for item in value] if isinstance(value, tuple) else [str(value)]
    if isinstance(parameter, click.Argument):
        return values
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [parameter.opts[-1]]
    return [word for item in values for word in (parameter.opts[-1], item)]


def print_json(value: Any) -> None:
    """Write the one document that ``--json`` promises."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
