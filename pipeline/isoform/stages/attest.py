"""The verbs attest and check: an artifact is verified and its files, source and verdict are stated; later both are held
against each other, and against a signature.

The signature is OpenSSF model-signing's, with a key in a file, over the folder: the statement is among its files, so
that neither can be exchanged. What is written later (benchmarks, self-tests) is not part of it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoform import store
from isoform.core import attestation
from isoform.core.artifact import RECORD_NAME, read_record
from isoform.core.attestation import SIGNATURE_NAME, STATEMENT_NAME
from isoform.core.bench import BENCH_NAME
from isoform.core.parity import FAIL, PASS, WARN
from isoform.errors import MissingDependency, NotProved, UsageError
from isoform.isolation import Pool
from isoform.stages import self_test, verify

_MISMATCH = re.compile(r"Hash mismatch for \\?'([^'\\]+)")
_LATER = (SIGNATURE_NAME, BENCH_NAME, self_test.RECORD_NAME)
"""Files that are no part of what is signed."""


@dataclass(frozen=True)
class Attestation:
    """A statement, held against the files that it is about.

    Attributes:
        verdict: PASS, or FAIL where a file, the statement or the key is another.
        is_signed: whether a signature was checked, and holds.
        findings: what is wrong, one sentence each; under PASS what was not checked.
    """

    path: Path
    verdict: str
    is_signed: bool
    statement: Mapping[str, Any]
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "verdict": self.verdict,
            "signed": self.is_signed,
            "result": self.statement["predicate"]["verifiedLevels"],
            "verified": self.statement["predicate"]["timeVerified"],
            "findings": list(self.findings),
        }

    @property
    def told(self) -> str:
        """One line for people."""
        levels = ", ".join(self.statement["predicate"]["verifiedLevels"])
        about = (
            f"{levels}, {len(self.statement['subject'])} files, verified {self.statement['predicate']['timeVerified']}"
        )
        return "; ".join([about, "signature holds" if self.is_signed else "no signature checked", *self.findings])


def attest(folder: Path, key: Path | None, pool: Pool) -> Path:
    """Verify an artifact, write the statement about it and sign both where there is a ``key``; return its path.

    Args:
        key: an elliptic curve's private key, PEM.

    Raises:
        NotProved: it does not pass; nothing is written then.
        IsoformError: not an artifact, or the key cannot be used; nothing is written then.
        MissingDependency: signing is asked for and its package is not there.
    """
    if key is not None:
        _require_signing()
    record = read_record(folder)
    found = verify.verify_path(folder, None, (), pool)
    if found.verdict not in (PASS, WARN):
        raise NotProved(f"{folder}: not attested, its verdict is {found.verdict}.", f"See why: isoform verify {folder}")
    names = [*record["files"], RECORD_NAME]
    digests = {name: store.digest_file(folder / name) for name in names}
    used = {name: text for each in found.records for name, text in each.versions.items()}
    versions = {"isoform": metadata.version("isoform"), **used}
    document = attestation.statement(record, digests, found.records, found.verdict, versions, datetime.now(UTC))
    (folder / SIGNATURE_NAME).unlink(missing_ok=True)
    target = folder / STATEMENT_NAME
    store.write_json(target, document)
    if key is not None:
        try:
            _sign(folder, key)
        except UsageError:
            target.unlink()
            raise
    return target


def check(path: Path, key: Path | None) -> Attestation:
    """Return whether the files beside a statement are those that it is about, and whether its signature holds.

    Args:
        key: the public key; without one no signature is checked.

    Raises:
        IsoformError: there is no statement, or it is damaged.
        MissingDependency: a key is given and the package that checks signatures is not there.
    """
    folder, document = path.parent, attestation.read(path)
    wanted = attestation.subjects(document)
    findings = [_difference(folder, name, digest) for name, digest in wanted.items()]
    problems = [finding for finding in findings if finding]
    if key is not None:
        _require_signing()
        problems += _signature_problems(folder, path, key, {*wanted, path.name})
    return Attestation(path, FAIL if problems else PASS, key is not None and not problems, document, tuple(problems))


def _difference(folder: Path, name: str, digest: str) -> str:
    if not (folder / name).is_file():
        return f"'{name}' is not there"
    return "" if store.digest_file(folder / name) == digest else f"'{name}' is not the file that was attested"


def _require_signing() -> None:
    for module in ("model_signing", "OpenSSL"):
        if find_spec(module) is None:
            raise MissingDependency.of(module, "a signature", "sign")


def _sign(folder: Path, key: Path) -> None:
    from model_signing import hashing, signing

    ignored = [folder / name for name in _LATER if (folder / name).exists()]
    hashed = hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key)
        signer.set_hashing_config(hashed).sign(folder, folder / SIGNATURE_NAME)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(
            f"{key}: not a private key that can sign ({_first_line(error)}).",
            "Make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
        ) from error


def _signature_problems(folder: Path, path: Path, key: Path, needed: set[str]) -> list[str]:
    """Return why the signature beside a statement does not hold with this key; empty where it does."""
    from cryptography.exceptions import InvalidSignature
    from model_signing import verifying

    signature = folder / SIGNATURE_NAME
    if not signature.is_file():
        return [f"there is no {SIGNATURE_NAME} beside it"]
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(
            f"{key}: not a public key ({_first_line(error)}).",
            "Take it out of the private one: openssl ec -in key.pem -pubout -out key.pub",
        ) from error
    try:
        verifier.set_ignore_unsigned_files(True).verify(folder, signature)
        lacking = needed - _signed(signature)
    except InvalidSignature:
        return ["the signature was made with another key, or was altered"]
    except Exception as error:  # noqa: BLE001 - the package raises many types for what is no whole signature; all refuse
        return [_told(str(error))]
    return [f"'{name}' is not covered by the signature" for name in sorted(lacking)]


def _told(refusal: str) -> str:
    """Return what model-signing refuses, in words: its own hold escaped digests."""
    if refusal.startswith("Key mismatch"):
        return "the signature was made with another key, or was altered"
    names = _MISMATCH.findall(refusal)
    if names:
        return f"signed was another {', another '.join(repr(name) for name in dict.fromkeys(names))}"
    return f"the signature does not hold: {(refusal.strip().splitlines() or ['it is no whole one'])[0][:200]}"


def _signed(signature: Path) -> set[str]:
    """Return the files that a signature which holds is about."""
    envelope = json.loads(signature.read_bytes())["dsseEnvelope"]
    resources = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["resources"]
    return {str(each["name"]) for each in resources}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
