"""``isoform report``: one page from the records on disk."""

from pathlib import Path

import click

from isoform.cli import options
from isoform.errors import UsageError


@click.command(
    epilog="""\b
Examples:
  isoform report exports
  isoform report exports --html page.html
  isoform report after --before before                        what changed since an earlier run
  isoform bench after --baseline before --json > turns.json   the latencies of both, timed in turns, so that
  isoform report after --before before --turns turns.json     the page may say which is faster
  isoform report exports --tables tables                      its tables as CSV and Markdown
  isoform report exports --verified verify.json               with what isoform verify --json printed elsewhere"""
)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("exports"))
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="The page; default: FOLDER/report.html.")
@click.option("--before", type=click.Path(path_type=Path), help="The exports of an earlier run: what changed since.")
@click.option(
    "--turns", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What isoform bench FOLDER --baseline BEFORE --json printed.",
)  # fmt: skip
@click.option(
    "--verified", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What isoform verify FOLDER --json printed, on another machine for example.",
)  # fmt: skip
@click.option("--tables", type=click.Path(file_okay=False, path_type=Path), help="Write each table here as well.")
@options.as_json
def command(
    folder: Path,
    html: Path | None,
    before: Path | None,
    turns: Path | None,
    verified: Path | None,
    tables: Path | None,
    as_json: bool,
) -> None:
    """Write everything that was exported, proved and measured below FOLDER as one self-contained page."""
    from isoform.stages.report import write

    if turns is not None and before is None:
        raise UsageError("--turns tells what changed since an earlier run.", "Name that run: --before FOLDER")
    target = html or folder / "report.html"
    summary = write(folder, target, before, turns, tables, verified)
    if as_json:
        options.print_json({"path": str(target), **summary})
    else:
        click.echo(f"{target}: {summary['artifacts']} artifacts", err=True)
        for word, told in summary.get("changes", {}).items():
            for line in told:
                click.echo(f"  {word}: {line}", err=True)
