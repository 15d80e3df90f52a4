"""What was proved of an artifact, as an in-toto statement: whose files, from which source, with what, and how it went.

The form is that of in-toto's Statement v1 with SLSA's verification summary v1 as its predicate; what these have no
field for stands under ``isoform``. Pure: digests come from outside. Not aware of signatures.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isoform.core.parity import ParityRecord
from isoform.errors import IsoformError

STATEMENT_NAME, SIGNATURE_NAME = "attestation.json", "attestation.sig"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER = "urn:isoform:verify"
POLICY = "urn:isoform:parity"
_LEVEL = "ISOFORM_PARITY_"


def statement(
    record: Mapping[str, Any],
    digests: Mapping[str, str],
    parity: Sequence[ParityRecord],
    verdict: str,
    versions: Mapping[str, str],
    when: datetime,
) -> dict[str, Any]:
    """Return the statement that an artifact was verified.

    Args:
        record: its artifact.json.
        digests: SHA-256 by relative path, of every file that is attested.
        parity: what was found now, a record a runtime.
        verdict: which stands for all of them; a pass.
        versions: of the packages that verified.
        when: the time of the verification, with its zone.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": {"id": VERIFIER, "version": dict(versions)},
            "timeVerified": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceUri": f"urn:isoform:{record['name']}:{record['framework']}:{record['format']}",
            "policy": {"uri": POLICY},
            "verificationResult": "PASSED",
            "verifiedLevels": [_LEVEL + verdict],
            "isoform": {
                "name": record["name"],
                "framework": record["framework"],
                "format": record["format"],
                "source": {"format": record["source"]["format"], "digest": {"sha256": record["source"]["sha256"]}},
                "materials": [
                    {"converter": step["converter"], "versions": dict(step["versions"])} for step in record["route"]
                ],
                "verdict": verdict,
                "parity": [each.to_json() for each in parity],
            },
        },
    }


def read(path: Path) -> dict[str, Any]:
    """Return the statement in a file.

    Raises:
        IsoformError: there is none, or it is not a statement of this kind.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise IsoformError(f"{path}: no such attestation.", "Write one: isoform attest DIR", kind="no-file") from None
    except ValueError as error:
        raise _damaged(path, f"not valid JSON ({error})") from error
    try:
        kinds = (found["_type"], found["predicateType"])
        if kinds != (STATEMENT_TYPE, PREDICATE_TYPE) or found["predicate"]["verifier"]["id"] != VERIFIER:
            raise _damaged(path, "another kind of statement")
        names = [_subject(each) for each in found["subject"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "a statement that is not whole") from error
    if not names or len(set(names)) != len(names):
        raise _damaged(path, "a statement about no file, or about one twice")
    return dict(found)


def subjects(found: Mapping[str, Any]) -> dict[str, str]:
    """Return SHA-256 by relative path of the files that a statement is about."""
    return {each["name"]: each["digest"]["sha256"] for each in found["subject"]}


def _subject(entry: Any) -> str:
    name, digest = entry["name"], entry["digest"]["sha256"]
    parts = Path(name).parts
    if not isinstance(digest, str) or not parts or Path(name).is_absolute() or ".." in parts:
        raise TypeError(name)
    return str(name)


def _damaged(path: Path, what: str) -> IsoformError:
    return IsoformError(f"{path}: {what}.", "Write it again: isoform attest DIR", kind="damaged")
