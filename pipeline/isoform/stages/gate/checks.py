"""One check that passed, failed or was not made: what JUnit, SARIF, the summary and annotations are all made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isoform.core.lock import Change
from isoform.core.parity import ERROR, NOT_CHECKED, NOT_VERIFIED, PASS, TOLD, ParityRecord
from isoform.core.verification import Verification

RUN, LOCK = "run", "lock"


@dataclass(frozen=True)
class Check:
    """One gate of one artifact on one runtime, or one entry of the lock.

    Attributes:
        subject: the artifact's path; runtime: where it ran;
        gate: structure, weights, semantics, numerics, task, run or lock.
        verdict: PASS, WARN, FAIL, INCONCLUSIVE, NOT CHECKED, NOT VERIFIED, TOLD or ERROR.
        findings: why, one sentence each.
    """

    subject: str
    runtime: str
    gate: str
    verdict: str
    findings: tuple[str, ...]
    seconds: float = 0.0

    @property
    def is_skipped(self) -> bool:
        return self.verdict in (NOT_CHECKED, NOT_VERIFIED)

    @property
    def is_failed(self) -> bool:
        return self.verdict not in (PASS, TOLD) and not self.is_skipped

    @property
    def text(self) -> str:
        return "; ".join(self.findings) or self.verdict


def checks(found: Iterable[Verification], changes: Iterable[Change]) -> list[Check]:
    """Return every check, artifact by artifact, then what differs from the lock."""
    mine = [
        check
        for verification in found
        for record in verification.records
        for check in _of_record(str(verification.path), record)
    ]
    return mine + [_of_change(change) for change in changes]


def _of_record(subject: str, record: ParityRecord) -> Iterator[Check]:
    if not record.gates:  # it did not run, or there is no such runtime here
        hint = (str(record.error["hint"]),) if record.error and record.verdict == ERROR else ()
        yield Check(subject, record.runtime, RUN, record.verdict, (record.headline, *hint), record.seconds)
        return
    for place, (name, gate) in enumerate(record.gates.items()):
        seconds = record.seconds if place == 0 else 0.0  # JUnit adds them up
        yield Check(subject, record.runtime, name, gate.verdict, gate.findings, seconds)


def _of_change(change: Change) -> Check:
    subject, _, runtime = change.key.rpartition(" on ")
    return Check(subject, runtime, LOCK, "FAIL" if change.is_regression else NOT_CHECKED, (change.what,))
