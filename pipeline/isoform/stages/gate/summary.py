"""A Markdown table of verdicts for the page of a job, and what did not pass under it."""

import re
from collections.abc import Iterable

from isoform.core.lock import Change
from isoform.core.parity import ParityRecord
from isoform.core.verification import Verification

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
SIGNS = {"PASS": "✅", "WARN": "⚠️", "FAIL": "❌", "INCONCLUSIVE": "❓", "NOT VERIFIED": "➖", "ERROR": "💥"}


def rendered(found: Iterable[Verification], changes: Iterable[Change]) -> str:
    """Return the summary; whatever stands in a file's names is text and no markup."""
    lines = ["## isoform", "", "| artifact | runtime | verdict | bits lost | size |", "|---|---|---|---|---|"]
    details = []
    for verification in found:
        for record in verification.records:
            lines.append(_row(verification, record))
            if record.verdict != "PASS":
                details.append(f"- **{plain(str(verification.path))}** on {record.runtime}: {plain(record.headline)}")
    told = [f"- {'❌' if change.is_regression else 'ℹ️'} {plain(str(change))}" for change in changes]
    if details:
        lines += ["", "### What did not pass", "", *details]
    if told:
        lines += ["", "### Against parity.lock", "", *told]
    return "\n".join(lines) + "\n"


def _row(verification: Verification, record: ParityRecord) -> str:
    lost = f"{max(figures.lost_bits for figures in record.outputs):.1f}" if record.outputs else ""
    return (
        f"| {plain(str(verification.path))} | {record.runtime} | {SIGNS[record.verdict]} {record.verdict} "
        f"| {lost} | {verification.size_bytes / 1e6:.2f} MB |"
    )


def plain(text: str) -> str:
    """Return ``text`` on one line, so that Markdown shows its characters and nothing else."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
