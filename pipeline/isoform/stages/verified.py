"""What verify found out before, of an artifact of these very bytes, on this machine, with these packages.

Only what is proved is kept: a failure is looked at anew each time. A model file that is no artifact has no list of what
belongs to it, so it is always verified.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.cache import Store, entry_key
from isoform.core import machine
from isoform.core.artifact import RECORD_NAME, open_artifact, read_record, size_bytes
from isoform.core.attestation import SIGNATURE_NAME, STATEMENT_NAME
from isoform.core.bench import BENCH_NAME
from isoform.core.parity import NOT_VERIFIED, PASS, WARN, ParityRecord
from isoform.core.precision import label
from isoform.core.verification import Verification
from isoform.isolation import Pool
from isoform.stages import self_test, verify

KIND = "verification"
"""Of its entries in a store."""
_NOT_JUDGED = (BENCH_NAME, STATEMENT_NAME, SIGNATURE_NAME, self_test.RECORD_NAME)
"""Files that others leave beside an artifact."""


def verify_path(
    path: Path,
    cases: Path | None,
    runtimes: Sequence[registry.Runtime],
    pool: Pool,
    cache: Store | None,
    *,
    is_forced: bool = False,
) -> Verification:
    """Return what `isoform.stages.verify.verify_path` does, out of the store where it has it.

    Raises:
        IsoformError: not an artifact, or its cases are damaged.
    """
    if cache is None or not (path / RECORD_NAME).is_file():
        return verify.verify_path(path, cases, runtimes, pool)
    key = _key(path, cases, runtimes)
    known = None if is_forced else cache.get_record(KIND, key)
    if known is not None:
        said, hit = known
        records = tuple(ParityRecord.from_json(record) for record in said["records"])
        return Verification(path, records, size_bytes(open_artifact(path).model), said["versions"], hit.told)
    found = verify.verify_path(path, cases, runtimes, pool)
    if _is_proved(found.records) and _key(path, cases, runtimes) == key:
        record = read_record(path)
        name = f"{record['name']}/{record['framework']}/{label(record['format'], record['precision'])}"
        cache.put_record(KIND, key, name, _document(found))
    return found


def _key(path: Path, cases: Path | None, runtimes: Sequence[registry.Runtime]) -> str:
    files = store.inventory(path)
    packages = {"numpy", *(name for row in registry.RUNTIMES.values() for name in row.needs)}
    return entry_key(
        files={name: said["sha256"] for name, said in files.items() if name not in _NOT_JUDGED},
        cases=store.digest_file(cases) if cases is not None else None,
        runtimes=[row.name for row in runtimes],
        versions={name: registry.version_of(name) for name in sorted(packages)},
        machine=machine.describe().digest,
        accelerators=machine.accelerators(),
    )


def _is_proved(records: Sequence[ParityRecord]) -> bool:
    """Tell whether all is proved that can be on this machine, and something is."""
    verdicts = {record.verdict for record in records}
    return bool(verdicts & {PASS, WARN}) and verdicts <= {PASS, WARN, NOT_VERIFIED}


def _document(found: Verification) -> dict[str, Any]:
    return {"records": [record.to_json() for record in found.records], "versions": dict(found.versions)}
