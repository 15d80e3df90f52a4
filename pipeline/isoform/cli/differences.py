"""What ``isoform verify`` shows of differences: the first operator, the error by stages, the worst input found.

What cannot be asked of a file is said, and the command goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core.divergence import Explanation
from isoform.core.ledger import Ledger
from isoform.core.parity import FAIL
from isoform.core.verification import Verification
from isoform.core.worst_case import WorstCase
from isoform.errors import IsoformError, UsageError
from isoform.stages import account, explain

_DID_NOT_RUN = ("NOT VERIFIED", "ERROR")


def explained(
    display: Any, verified: Verification, against: Path | None, cases: Path | None, pool: Any, keep: Path
) -> Explanation:
    """Return where a model first differs, shown; the reason where that cannot be said."""
    path = verified.path
    failed = [record.runtime for record in verified.records if record.verdict == FAIL]
    display.step(str(path), "looking for the first operator that differs")
    try:
        explain.require()
        found = explain.explain(path, against, cases, pool, keep, next(iter(failed), ""))
    except UsageError:
        raise
    except IsoformError as error:
        found = Explanation(str(path), "", None, obstacles=(error.what,))
    _show(display, found.lines())
    return found


def accounted(display: Any, found: Verification, cases: Path | None, pool: Any) -> Iterator[Ledger]:
    """Yield the error by stages on each runtime that a model ran on, shown."""
    for row in _ran(found):
        display.step(str(found.path), f"running in stages on {row.name}")
        with _or_said(display, f"no ledger on {row.name}"):
            ledger = account.ledger(found.path, cases, row, pool)
            _show(display, ledger.lines())
            yield ledger


def searched(
    display: Any, found: Verification, cases: Path | None, count: int, keep: Path, pool: Any
) -> Iterator[WorstCase]:
    """Yield the worst input that was found on each runtime that a model ran on, shown."""
    for row in _ran(found):
        with _or_said(display, f"no search on {row.name}"):
            worst = account.worst_case(
                found.path, cases, row, count, keep, pool, lambda text: display.step(str(found.path), text)
            )
            _show(display, worst.lines())
            yield worst


def _ran(found: Verification) -> list[registry.Runtime]:
    return [registry.runtime(record.runtime) for record in found.records if record.verdict not in _DID_NOT_RUN]


@contextmanager
def _or_said(display: Any, what: str) -> Iterator[None]:
    """Show why ``what`` could not be asked of a file, and go on; a wrong use of the command ends it as ever."""
    try:
        yield
    except UsageError:
        raise
    except IsoformError as error:
        _show(display, [f"{what}: {error.what}"])


def _show(display: Any, lines: Sequence[str]) -> None:
    from isoform.cli.console import printable

    display.settle(is_told=False)
    for line in lines:
        display.console.print(f"    {printable(line)}")
