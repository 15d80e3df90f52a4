"""Verdicts of another machine join the report: on runtimes that the artifact's own record does not know, or anew."""

import json
from pathlib import Path
from typing import Any

import pytest

from isoform.errors import UsageError
from isoform.stages.report import write
from isoform.stages.report.collect import Entry, collect
from isoform.stages.report.verified import joined
from written_records import artifact, parity


def printed(folder: Path, *records: dict[str, Any], size_bytes: int = 1500, path: str = "") -> Path:
    result = {"path": path or str(folder), "verdict": "", "size_bytes": size_bytes, "parity": list(records)}
    file = folder.parents[2] / "verify.json"
    file.write_text(json.dumps({"results": [result]}))
    return file


def only(root: Path, file: Path) -> Entry:
    (entry,) = joined(collect(root), file).entries
    return entry


@pytest.mark.parametrize(("verdict", "passed"), [("PASS", True), ("FAIL", False)])
def test_a_verdict_on_another_runtime_joins_and_counts(tmp_path: Path, verdict: str, passed: bool) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS")
    file = printed(own, parity(verdict, runtime="ort-cuda"))
    entry = only(tmp_path, file)
    assert {name: each.verdict for name, each in entry.parity.items()} == {"ort-cpu": "PASS", "ort-cuda": verdict}
    assert (entry.verdict, entry.passed) == (verdict, passed)
    write(tmp_path, tmp_path / "page.html", verified_in=file)
    assert "ort-cuda" in (tmp_path / "page.html").read_text()


def test_it_takes_the_place_of_an_earlier_one_unless_nothing_was_verified(tmp_path: Path) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS")
    absent = {**parity("NOT VERIFIED"), "outputs": [], "gates": {}}
    assert only(tmp_path, printed(own, absent)).parity["ort-cpu"].verdict == "PASS"
    assert only(tmp_path, printed(own, parity("FAIL"))).verdict == "FAIL"
    unknown = only(tmp_path, printed(own, {**absent, "runtime": "ort-cuda"}))
    assert (unknown.parity["ort-cuda"].verdict, unknown.verdict) == ("NOT VERIFIED", "PASS")


def test_a_verdict_on_another_file_is_refused(tmp_path: Path) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS")
    with pytest.raises(UsageError, match=r"verify\.json is of another file than .*onnx holds\."):
        only(tmp_path, printed(own, parity("PASS"), size_bytes=1501))
    with pytest.raises(UsageError, match="tells of elsewhere/onnx, which is not in this report"):
        only(tmp_path, printed(own, parity("PASS"), path="elsewhere/onnx"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": [1]}', '{"results": [{"path": "p"}]}'])
def test_what_verify_did_not_print_is_refused(tmp_path: Path, text: str) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    file = tmp_path / "verify.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"not what isoform verify --json prints|tells of p"):
        only(tmp_path, file)
