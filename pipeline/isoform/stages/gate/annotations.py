"""GitHub's workflow commands: lines of a job's log that become annotations of the run.

Escapes are those that the runner undoes: ``%``, CR and LF in messages, ``:`` and ``,`` too in properties.
"""

from collections.abc import Iterable

from isoform.core.parity import WARN
from isoform.stages.gate.checks import Check


def lines(checks: Iterable[Check]) -> list[str]:
    """Return a line for each check that did not pass; what was not checked is a notice."""
    return [_line(check) for check in checks if check.is_failed or check.is_skipped]


def _line(check: Check) -> str:
    level = "notice" if check.is_skipped else "warning" if check.verdict == WARN else "error"
    title = f"{check.gate} {check.verdict}: {check.subject} on {check.runtime}"
    return f"::{level} title={_property(title)}::{_message(check.text)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
