"""How the results of convert and export are shown, and which exit code they come to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from isoform.cli import options
from isoform.cli.console import Display, printable, readable_size
from isoform.core.spelling import typed
from isoform.errors import MissingDependency
from isoform.registry import CONVERTERS
from isoform.routes import Route
from isoform.stages.export import Result

_HEAD = ("format", "verdict", "size", "seconds", "route")


def end(context: click.Context, results: Sequence[Result], document: Any, as_json: bool, display: Display) -> None:
    """Show the results, print the document if asked, and leave with the exit code."""
    display.settle()
    show(results, display)
    if as_json:
        options.print_json(document)
    context.exit(exit_code(results))


def show(results: Sequence[Result], display: Display) -> None:
    """Print a row a result, under a failure what happened and what to do, and at the end one command to go on with."""
    is_one_model = len({(result.name, result.framework) for result in results}) == 1
    rows = [_cells(result, is_one_model) for result in results]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    is_narrow = sum(widths) + 3 * len(widths) > display.console.width and display.console.is_terminal
    display.console.print()
    display.console.print(_row(" ", _HEAD, widths, is_narrow))
    for result, cells in zip(results, rows, strict=True):
        sign, colour = display.sign(result.verdict if result.path else "ERROR")
        display.console.print(_row(sign, cells, widths, is_narrow), style=colour)
        if result.error is not None:
            display.console.print(f"    {printable(result.error.what)}\n    hint: {printable(result.error.hint)}")
        for finding in result.profile.findings if result.profile is not None else ():
            display.console.print(f"    {printable(finding)}")
    display.console.print()
    written = [result.path for result in results if result.path is not None]
    if written:
        display.console.print(f"In {printable(str(_common(written)))}/")
    display.console.print(f"Next: {next_command(results)}")


def next_command(results: Sequence[Result]) -> str:
    """Return the one command that goes on from here: what is missing first, then what differs, then what is open."""
    for result in results:
        if isinstance(result.error, MissingDependency):
            return result.error.hint
    for result in results:
        if result.path is not None and result.status == "failed":
            return f"isoform verify {typed(result.path)} --explain"
    for result in results:
        if result.status == "failed":
            return f"isoform routes {result.framework} {result.format}"
    written = [result.path for result in results if result.path is not None]
    is_proved = all(result.status == "passed" for result in results)
    return f"isoform {'bench' if is_proved else 'verify'} {typed(_common(written))}"


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 if all stand; else the code of what went wrong, a conversion that broke before numbers that differ."""
    codes = {result.exit_code for result in results}
    return max(codes, default=0)


def _cells(result: Result, is_one_model: bool) -> tuple[str, ...]:
    steps = tuple(CONVERTERS[name] for name in result.route if name in CONVERTERS)
    return (
        result.label if is_one_model else f"{result.name}/{result.framework}/{result.label}",
        result.verdict if result.path else "FAILED",
        readable_size(result.size_bytes) if result.size_bytes is not None else "",
        "unchanged" if result.is_reused else f"{result.seconds:.1f}",
        str(Route(steps)) if steps else "",
    )


def _row(sign: str, cells: Sequence[str], widths: Sequence[int], is_narrow: bool) -> str:
    name, verdict, size, seconds, route = (printable(cell) for cell in cells)
    head = f"{sign} {name:<{widths[0]}}  {verdict:<{widths[1]}}  {size:>{widths[2]}}  {seconds:>{widths[3]}}"
    return f"{head}\n    {route}".rstrip() if is_narrow else f"{head}  {route}".rstrip()


def _common(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath(paths))
