"""``isoform cache``: what a store holds, whether it is whole, and what may go."""

import datetime as dt
from typing import Any

import click

from isoform.cache import KINDS
from isoform.cli import options
from isoform.cli.amounts import Age, Size
from isoform.cli.usage import Word
from isoform.errors import RESULT_FAILED, UsageError

_NAME_WIDTH = 44


@click.group(
    epilog="""\b
Examples:
  isoform cache list --store ~/isoform-store
  isoform cache verify --store s3://bucket/isoform
  isoform cache prune --store ~/isoform-store --larger-than 20GB --dry-run"""
)
def command() -> None:
    """Look after a store of results: see --store of export, convert, train, verify and bench.

    Which store: --store or the environment variable ISOFORM_STORE.
    """


@command.command(
    "list",
    epilog="""\b
Examples:
  isoform cache list --store ~/isoform-store
  ISOFORM_STORE=s3://bucket/isoform isoform cache list --json""",
)
@options.store
@options.as_json
def list_entries(store: str | None, as_json: bool) -> None:
    """List results by kind, with name, size and when they were put there."""
    from isoform.cache import upkeep

    found = upkeep.contents(_area(store))
    if as_json:
        options.print_json(found.to_json())
        return
    from isoform.cli.console import counted, printable, readable_size

    for kind in KINDS:
        for entry in (entry for entry in found.entries if entry.kind == kind):
            name = f"{printable(entry.name):<{_NAME_WIDTH}}"
            click.echo(f"{kind:<13} {name} {readable_size(entry.size_bytes):>8}  {entry.made}  {entry.key[:12]}")
    more = f", {len(found.damaged)} with a damaged manifest: isoform cache verify" if found.damaged else ""
    aside = f", {counted(found.aside, 'file')} set aside" if found.aside else ""
    click.echo(f"{counted(len(found.entries), 'result')}, {readable_size(found.size_bytes)}{more}{aside}")


@command.command(
    epilog="""\b
Examples:
  isoform cache verify --store ~/isoform-store
  isoform cache verify --store s3://bucket/isoform --json

Exit codes: 0 every byte is as it was put there, 1 something was damaged and is set aside."""
)
@options.store
@options.as_json
@click.pass_context
def verify(context: click.Context, store: str | None, as_json: bool) -> None:
    """Hash every byte; what is damaged is set aside, and made again when it is asked for."""
    from isoform.cache import upkeep

    found = upkeep.verify(_area(store))
    if as_json:
        options.print_json(found.to_json())
    else:
        from isoform.cli.console import counted, readable_size

        for each in found.damaged:
            click.echo(f"DAMAGED {each.name}: {each.what}")
        count = len(found.damaged)
        told = f"{counted(count, 'file')} damaged, set aside with what needs {'it' if count == 1 else 'them'}"
        whole = counted(found.entries, "whole result")
        click.echo(f"{whole}, {readable_size(found.size_bytes)} hashed: {told if count else 'no damage'}")
    context.exit(RESULT_FAILED if found.damaged else 0)


@command.command(
    epilog="""\b
Examples:
  isoform cache prune --store ~/isoform-store --older-than 30d
  isoform cache prune --store ~/isoform-store --larger-than 20GB --dry-run
  isoform cache prune --store s3://bucket/isoform --kind benchmark --all"""
)
@options.store
@click.option(
    "--older-than", "older_than_s", type=Age(), metavar="AGE", help="What was put there longer ago: 30d, 12h."
)
@click.option(
    "--larger-than", "larger_than_bytes", type=Size(), metavar="SIZE",
    help="The oldest, until the store is not larger: 20GB, 500MB.",
)  # fmt: skip
@click.option("--kind", "kinds", multiple=True, type=Word(KINDS), help="Only results of this kind; repeatable.")
@click.option("--all", "is_all", is_flag=True, help="All results, and what was set aside.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would go; nothing is removed.")
@options.as_json
def prune(
    store: str | None,
    older_than_s: float | None,
    larger_than_bytes: int | None,
    kinds: tuple[str, ...],
    is_all: bool,
    is_dry: bool,
    as_json: bool,
) -> None:
    """Remove results, and the bytes that no result needs any more.

    Bytes of an interrupted command, which belong to no result, go when they are an hour old.
    """
    from isoform.cache import upkeep

    if older_than_s is None and larger_than_bytes is None and not is_all:
        raise UsageError("Nothing says what may go.", "Pass --older-than 30d, --larger-than 20GB or --all.")
    rule = upkeep.Rule(older_than_s, larger_than_bytes, kinds, is_all)
    found = upkeep.prune(_area(store), rule, dt.datetime.now(dt.UTC), is_dry=is_dry)
    if as_json:
        options.print_json(found.to_json())
        return
    from isoform.cli.console import counted, printable, readable_size

    word = "would go" if is_dry else "removed"
    for entry in found.entries:
        click.echo(f"{word}: {entry.kind} {printable(entry.name)}  {entry.made}  {entry.key[:12]}")
    results, files = counted(len(found.entries), "result"), counted(found.files, "file")
    click.echo(f"{results}, {files}, {readable_size(found.size_bytes)} {word}")


def _area(url: str | None) -> Any:
    """Return the store that was named.

    Raises:
        UsageError: none was, or there is none.
    """
    from isoform.cache.storage import open_area

    if url is None:
        raise UsageError("No store was named.", "Pass --store FOLDER_OR_URL or set ISOFORM_STORE.")
    return open_area(url)
