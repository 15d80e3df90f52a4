"""``--dry-run``: what a command would do, on stdout, and nothing done."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from isoform import registry
from isoform.cli import options
from isoform.cli.console import printable
from isoform.core.precision import FP32
from isoform.errors import MissingDependency
from isoform.stages.export import Outlook

option = click.option("--dry-run", "is_dry", is_flag=True, help="Show what would be done, and write nothing.")


_SHOWN = 2
"""How many routes of a format are listed; the first usually does."""


def show_outlook(subject: str, outlook: Iterable[Outlook]) -> None:
    """Print for each format its routes, best first, what is missing for them, and what would be written."""
    click.echo(printable(subject))
    for item in outlook:
        verb = "replace" if item.is_there else "write"
        click.echo(f"\n{item.variant.label}\n  {verb:<9}{item.destination}/  {' '.join(item.files)}")
        last = "" if item.variant.precision == FP32 else f" -> {item.variant.precision}"
        for place, route in enumerate(item.routes[:_SHOWN]):
            click.echo(f"  {'then' if place else 'route':<9}{route}{last}{_to_install(route.missing)}")
        if len(item.routes) > _SHOWN:
            ends = f"{item.routes[0].steps[0].source} {item.variant.format}"
            click.echo(f"           and {len(item.routes) - _SHOWN} more: isoform routes {ends}")
        for row in item.runtimes:
            click.echo(f"  {'prove':<9}on {row.name}{_to_install(registry.missing(row))}")
        if not item.runtimes:
            click.echo("  prove    no: --no-verify")


def exit_code(outlook: Iterable[Outlook]) -> int:
    """Return 0, or 3 where something has to be installed before one of the formats can be made."""
    return 0 if all(item.is_possible for item in outlook) else MissingDependency.exit_code


def show_runs(verb: str, runs: Sequence[tuple[Path, registry.Runtime]], as_json: bool) -> None:
    """Print which artifact would be run on which runtime."""
    if as_json:
        rows = [{"path": str(path), "runtime": row.name, "missing": list(registry.missing(row))} for path, row in runs]
        options.print_json({"plan": rows})
        return
    for path, row in runs:
        click.echo(f"{verb} {printable(str(path))} on {row.name}{_to_install(registry.missing(row))}")


def _to_install(missing: Sequence[str]) -> str:
    return f"   to install: {'; '.join(missing)}" if missing else ""
