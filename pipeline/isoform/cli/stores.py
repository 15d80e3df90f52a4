"""The store that a command was told to use; what is wrong in it is a line on stderr, and the work goes on."""

import click

from isoform.cache import Store, open_store


def opened(url: str | None) -> Store | None:
    """Return the store of ``--store``, None where none was named.

    Raises:
        IsoformError: there is none, or it does not answer.
    """
    return None if url is None else open_store(url, _tell)


def _tell(line: str) -> None:
    from isoform.cli.console import printable

    click.echo(printable(line), err=True)
