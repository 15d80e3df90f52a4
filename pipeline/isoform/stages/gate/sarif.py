"""SARIF 2.1.0 (OASIS): a rule a gate, a result for each that did not pass; code scanning pages show it."""

import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from isoform.core.parity import WARN
from isoform.stages.gate.checks import LOCK, RUN, Check

RULES = {
    RUN: "The artifact opens and runs on the runtime.",
    "structure": "Names, order, dtypes, shapes, dynamic axes and exact outputs are those of the source.",
    "weights": "Every parameter of the source is in the artifact, bit for bit or by a known fold.",
    "semantics": "In float64, where rounding hides nothing, the artifact computes what the source computes.",
    "numerics": "The artifact is as accurate as the source, both measured against float64.",
    "task": "Of less than float32: the artifact decides as the source does, on samples of its task.",
    LOCK: "Verdict, lost bits, size and latency are no worse than in parity.lock.",
}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def rendered(checks: Iterable[Check]) -> str:
    """Return the document; what was not checked is a note, a warning a warning, all else an error."""
    driver = {
        "name": "isoform",
        "version": metadata.version("isoform"),
        "rules": [{"id": f"isoform/{gate}", "shortDescription": {"text": text}} for gate, text in RULES.items()],
    }
    results = [_result(check) for check in checks if check.is_failed or check.is_skipped]
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(check: Check) -> dict[str, Any]:
    level = "note" if check.is_skipped else "warning" if check.verdict == WARN else "error"
    text = f"{check.verdict} on {check.runtime}: {check.text}"
    place = {"physicalLocation": {"artifactLocation": {"uri": quote(Path(check.subject).as_posix())}}}
    return {
        "ruleId": f"isoform/{check.gate}",
        "level": level,
        "message": {"text": text},
        "locations": [place],
        "partialFingerprints": {"isoform/v1": f"{check.subject}|{check.runtime}|{check.gate}"},
    }
