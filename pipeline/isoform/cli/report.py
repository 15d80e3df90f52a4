"""``isoform report``: one page from the records on disk."""

from pathlib import Path

import click

from isoform.cli import options


@click.command(epilog="Example: isoform report exports")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("exports"))
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="The page; default: FOLDER/report.html.")
@options.as_json
def command(folder: Path, html: Path | None, as_json: bool) -> None:
    """Write everything that was exported, proved and measured below FOLDER as one self-contained page."""
    from isoform.stages.report import write

    target = html or folder / "report.html"
    summary = write(folder, target)
    if as_json:
        options.print_json({"path": str(target), **summary})
    else:
        click.echo(f"{target}: {summary['artifacts']} artifacts", err=True)
