"""How the results of convert and export are shown, and which exit code they come to."""

from collections.abc import Sequence
from typing import Any

import click

from isoform.cli.console import GLYPHS, Display, printable
from isoform.stages.export import Result


def show(results: Sequence[Result], display: Display) -> None:
    """Print one line a result, and under a failure what happened and what to do."""
    for result in results:
        glyph, colour = GLYPHS.get(result.verdict if result.path else "ERROR", GLYPHS["ERROR"])
        subject = f"{result.name}/{result.framework}/{result.format}" if result.framework else result.format
        what = result.verdict if result.path else "FAILED"
        note = " (unchanged)" if result.is_reused else ""
        display.console.print(f"{glyph} {what:<13} {printable(subject):<42} {result.path or ''}{note}", style=colour)
        if result.error is not None:
            display.console.print(f"    {printable(result.error.what)}\n    hint: {printable(result.error.hint)}")


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 if all stand; else the code of what went wrong, a conversion that broke before numbers that differ."""
    codes = {result.exit_code for result in results}
    return max(codes, default=0)


def end(context: click.Context, results: Sequence[Result], document: Any, as_json: bool, display: Display) -> None:
    """Show the results, print the document if asked, and leave with the exit code."""
    show(results, display)
    if as_json:
        from isoform.cli import options

        options.print_json(document)
    context.exit(exit_code(results))
