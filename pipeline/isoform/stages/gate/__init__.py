"""What a continuous integration reads of a verification: the lock, JUnit, SARIF, a summary, annotations.

Each file takes `Verification` records or the checks made of them, and returns text or a document; lock.py also reads
and writes ``parity.lock``. Not aware of how anything was verified.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from isoform import store
from isoform.core.lock import Change
from isoform.core.verification import Verification
from isoform.errors import IsoformError
from isoform.stages.gate import annotations, junit, lock, sarif
from isoform.stages.gate import summary as markdown
from isoform.stages.gate.checks import checks


def against(
    path: Path, found: Sequence[Verification], asked: Sequence[Path], runtimes: Sequence[str], *, is_updated: bool
) -> list[Change]:
    """Return what differs from the lock in ``path``, which is written anew if ``is_updated``.

    Args:
        asked: the paths that the command was given; entries elsewhere are neither missed nor dropped.
        runtimes: the only ones that were asked for; all where there are none.

    Raises:
        UsageError: there is no lock to compare with, or it cannot be read.
    """
    return (lock.update if is_updated else lock.check)(path, found, asked, runtimes)


def report(
    found: Sequence[Verification],
    changes: Sequence[Change],
    *,
    junit: Path | None = None,
    sarif: Path | None = None,
    summary: Path | None = None,
) -> None:
    """Write the reports that have a path; a summary is added to what its file holds already, as job pages want it.

    Raises:
        IsoformError: a file cannot be written.
    """
    for path, text in _reports(found, changes, junit, sarif, summary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            store.write_bytes(path, text.encode())
        except OSError as error:
            raise IsoformError(
                f"{path}: {error.strerror}; the report was not written.", "Name another file."
            ) from error


def annotated(found: Sequence[Verification], changes: Sequence[Change]) -> list[str]:
    """Return GitHub's workflow commands for what did not pass."""
    return annotations.lines(checks(found, changes))


def told(path: Path, changes: Sequence[Change]) -> Mapping[str, object]:
    """Return the ``lock`` object of verify's ``--json``."""
    return lock.to_json(path, changes)


def _reports(
    found: Sequence[Verification],
    changes: Sequence[Change],
    xml: Path | None,
    results: Path | None,
    page: Path | None,
) -> Iterator[tuple[Path, str]]:
    if xml is not None:
        yield xml, junit.rendered(checks(found, changes))
    if results is not None:
        yield results, sarif.rendered(checks(found, changes))
    if page is not None:
        yield page, (page.read_text() if page.is_file() else "") + markdown.rendered(found, changes)
