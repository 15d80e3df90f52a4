"""JUnit XML: a suite an artifact and runtime, a case a gate, as the dialect that GitLab, Jenkins and others read."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from isoform.core.parity import ERROR
from isoform.stages.gate.checks import Check

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (its production of Char)."""


def rendered(checks: Iterable[Check]) -> str:
    """Return the document; a warning and an inconclusive gate are failures, what was not checked is skipped."""
    suites: dict[str, list[Check]] = {}
    for check in checks:
        suites.setdefault(f"{check.subject} on {check.runtime}", []).append(check)
    root = ET.Element("testsuites", name="isoform")
    root.extend(_suite(name, mine) for name, mine in suites.items())
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(name: str, checks: list[Check]) -> ET.Element:
    suite = ET.Element(
        "testsuite", name=_plain(name), tests=str(len(checks)),
        failures=str(sum(check.is_failed and check.verdict != ERROR for check in checks)),
        errors=str(sum(check.verdict == ERROR for check in checks)),
        skipped=str(sum(check.is_skipped for check in checks)),
        time=f"{sum(check.seconds for check in checks):.3f}",
    )  # fmt: skip
    for check in checks:
        suite.append(_case(_plain(name), check))
    return suite


def _case(suite: str, check: Check) -> ET.Element:
    case = ET.Element("testcase", classname=suite, name=check.gate, time=f"{check.seconds:.3f}")
    text = _plain(check.text)
    if check.is_skipped:
        ET.SubElement(case, "skipped", message=text)
    elif check.is_failed:
        tag = "error" if check.verdict == ERROR else "failure"
        ET.SubElement(case, tag, type=check.verdict, message=text).text = text
    elif check.findings:
        ET.SubElement(case, "system-out").text = text
    return case


def _plain(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
