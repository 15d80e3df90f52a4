"""What a continuous integration reads: every verdict in its place, and names of files that are text only."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from isoform.core.lock import Change
from isoform.core.parity import Gate, ParityRecord
from isoform.core.verification import Verification
from isoform.errors import IsoformError
from isoform.stages import gate
from isoform.stages.gate import annotations, junit, sarif, summary
from isoform.stages.gate.checks import Check, checks

PROVED = ParityRecord("ort-cpu", "PASS", "0.0 bits lost", {
    "structure": Gate("PASS"), "weights": Gate("PASS", ("parameters: 4 equal",)), "numerics": Gate("PASS"),
}, seconds=1.5)  # fmt: skip
DIFFERS = ParityRecord("litert", "FAIL", "9.0 bits lost", {
    "structure": Gate("PASS"), "weights": Gate("FAIL", ("'w' is not in the export",)), "numerics": Gate("WARN", ("R",)),
})  # fmt: skip
ABSENT = ParityRecord.not_verified("ort-cuda", "no CUDA device")
BROKEN = ParityRecord.failed_to_run("litert", IsoformError("model.tflite is truncated.", "Export it again."))
HOSTILE = "<script>alert(1)</script>\x1b[31m\x00|**`::error::%0A\n"


def found(*records: ParityRecord, path: str = "exports/net/onnx") -> list[Verification]:
    return [Verification(Path(path), records, 1_500_000, {})]


def test_a_junit_report_counts_failures_errors_and_what_was_skipped_apart() -> None:
    root = ET.fromstring(junit.rendered(checks(found(PROVED, DIFFERS, ABSENT, BROKEN), [])))
    suites = [{key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} for suite in root]
    assert [list(suite.values()) for suite in suites] == [
        ["exports/net/onnx on ort-cpu", "3", "0", "0", "0"],
        ["exports/net/onnx on litert", "4", "2", "1", "0"],
        ["exports/net/onnx on ort-cuda", "1", "0", "0", "1"],
    ]
    failure = root.find("./testsuite/testcase[@name='weights']/failure")
    assert failure is not None
    assert (failure.get("type"), failure.text) == ("FAIL", "'w' is not in the export")
    error = root.find("./testsuite/testcase[@name='run']/error")
    assert error is not None
    assert error.text == "model.tflite is truncated.; Export it again."


def test_a_junit_report_is_xml_whatever_a_file_calls_its_weights() -> None:
    hostile = ParityRecord("litert", "FAIL", HOSTILE, {"weights": Gate("FAIL", (HOSTILE,))})
    root = ET.fromstring(junit.rendered(checks(found(hostile, path=HOSTILE), [])))
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert failure.text == HOSTILE.replace("\x1b", "\\x1b").replace("\x00", "\\x00")


def test_sarif_has_a_result_for_each_gate_that_did_not_pass_under_a_rule_that_exists() -> None:
    broken = Change("exports/net/onnx on ort-cpu", "2 ms, was 1", True)
    run = json.loads(sarif.rendered(checks(found(PROVED, DIFFERS, ABSENT), [broken])))["runs"][0]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    told = [(result["ruleId"], result["level"]) for result in run["results"]]
    assert told == [
        ("isoform/weights", "error"),
        ("isoform/numerics", "warning"),
        ("isoform/run", "note"),
        ("isoform/lock", "error"),
    ]
    assert {rule for rule, _ in told} <= rules
    fingerprints = [result["partialFingerprints"]["isoform/v1"] for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)


def test_a_sarif_location_is_a_uri() -> None:
    document = json.loads(sarif.rendered(checks(found(BROKEN, path="my exports/a%b"), [])))
    place = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20exports/a%25b"


def test_an_annotation_is_one_line_that_no_finding_can_end() -> None:
    check = Check("net", "litert", "weights", "FAIL", ("50 % of 'a::b'\n::error::taken over",))
    assert annotations.lines([check]) == [
        "::error title=weights FAIL%3A net on litert::50 %25 of 'a::b'%0A::error::taken over"
    ]


def test_what_was_not_checked_is_a_notice_and_what_passed_is_silent() -> None:
    lines = annotations.lines(checks(found(PROVED, ABSENT, DIFFERS), []))
    assert [line.split(" ")[0] for line in lines] == ["::notice", "::error", "::warning"]


def test_a_summary_has_a_row_a_runtime_and_shows_markup_as_text() -> None:
    hostile = ParityRecord("litert", "FAIL", HOSTILE, {"weights": Gate("FAIL")})
    text = summary.rendered(found(PROVED, hostile), [Change("net on litert", "gone", True)])
    assert "| exports/net/onnx | ort-cpu | ✅ PASS |  | 1.50 MB |" in text
    assert r"\<script\>alert\(1\)\</script\>" in text
    assert r"\|\*\*\`::error::%0A" in text
    assert text.rstrip().endswith("- ❌ net on litert: gone")


def test_reports_are_written_where_asked_and_a_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    page, xml = tmp_path / "summary.md", tmp_path / "new" / "junit.xml"
    page.write_text("# Job\n")
    gate.report(found(PROVED), [], junit=xml, summary=page)
    assert page.read_text().startswith("# Job\n## isoform\n")
    assert xml.is_file()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["junit.xml", "summary.md"]


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IsoformError) as caught:
        gate.report(found(PROVED), [], sarif=tmp_path / "file" / "out.sarif")
    assert caught.value.what.startswith(f"{tmp_path / 'file' / 'out.sarif'}: ")
    assert caught.value.what.endswith("; the report was not written.")
