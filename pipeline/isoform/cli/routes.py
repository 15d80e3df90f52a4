"""``isoform routes A B``: which chains of converters connect two formats, best first."""

from typing import Any

import click

from isoform import routes
from isoform.cli import options
from isoform.core.format import FORMATS


@click.command(epilog="Example: isoform routes keras tflite")
@click.argument("source", shell_complete=options.one_of(FORMATS))
@click.argument("target", shell_complete=options.one_of(FORMATS))
@options.via
@options.avoid
@options.as_json
def command(source: str, target: str, via: str | None, avoid: tuple[str, ...], as_json: bool) -> None:
    """Show the ranked routes from SOURCE to TARGET, and what is missing to use them."""
    rows = [_row(route) for route in routes.ranked(source, target, via=via, avoid=avoid)]
    if as_json:
        options.print_json({"source": source, "target": target, "routes": rows})
        return
    for place, row in enumerate(rows, start=1):
        click.echo(f"{place}. {row['route']}   ({', '.join(row['converters']) or 'the file itself'})")
        for missing in row["missing"]:
            click.echo(f"   to install: {missing}")


def _row(route: routes.Route) -> dict[str, Any]:
    return {
        "route": str(route),
        "converters": list(route.names),
        "cost": route.cost,
        "missing": list(route.missing),
    }
